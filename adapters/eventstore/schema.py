"""Brings a database to the schema of this version, by the migrations shipped with it."""

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

import migrations

# Two processes that start at once must not migrate at once.
_LOCK = 0x71DE


def migrate(url: str, revision: str = "head") -> None:
    """Upgrades the database at `url` (`postgresql://…`). Safe to call at every start, and from many processes."""
    engine = sa.create_engine(sqlalchemy_url(url), poolclass=sa.NullPool)
    with engine.connect() as connection:
        connection.execute(sa.text("SELECT pg_advisory_lock(:lock)"), {"lock": _LOCK})
        connection.commit()
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        connection.commit()
        connection.execute(sa.text("SELECT pg_advisory_unlock(:lock)"), {"lock": _LOCK})
        connection.commit()


def newest_revision() -> str | None:
    """The schema of this version."""
    return ScriptDirectory.from_config(_config()).get_current_head()


def sqlalchemy_url(url: str) -> str:
    """The URL with the driver that this project uses."""
    return url.replace("postgresql://", "postgresql+psycopg://", 1)


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    return config
