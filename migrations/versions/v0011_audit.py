"""Where in the log something is: the index of the audit, block by block."""

from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.execute(
        "CREATE TABLE audit_keys"
        " (key bigint NOT NULL, block bigint NOT NULL, offsets bytea NOT NULL, PRIMARY KEY (key, block))"
    )
    op.execute(
        "CREATE TABLE audit_blocks"
        " (block bigint PRIMARY KEY, earliest timestamptz NOT NULL, latest timestamptz NOT NULL)"
    )


def downgrade() -> None:
    op.execute("DROP TABLE audit_blocks, audit_keys")
