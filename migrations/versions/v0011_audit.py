"""Where in the log something is: the index of the audit, block by block. And which readings were ahead of our time when
they came in, so that pages of the past need not walk past all that came later."""

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
    op.execute(
        "CREATE INDEX readings_ahead ON readings ((value_at AT TIME ZONE 'UTC') DESC, id DESC)"
        " WHERE value_at - received_at > interval '1 minute'"
    )


# Whatever its name is: that of a table that was rebuilt was made up by PostgreSQL.
DROP_INDEX = """
    DO $$ DECLARE index regclass; BEGIN
        FOR index IN SELECT indexrelid FROM pg_index WHERE indrelid = 'readings'::regclass AND indpred IS NOT NULL LOOP
            EXECUTE format('DROP INDEX %s', index);
        END LOOP;
    END $$
"""


def downgrade() -> None:
    op.execute(DROP_INDEX)
    op.execute("DROP TABLE audit_blocks, audit_keys")
