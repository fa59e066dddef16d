"""Alembic's entry: runs the migrations on the connection that `tidemark migrate` passes in."""

from typing import Any

from alembic import context

config: Any = context.config
context.configure(connection=config.attributes["connection"], transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
