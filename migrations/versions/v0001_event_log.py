"""The event log, its snapshots and its identity.

The table is the eventsourcing library's, with one difference: `notification_id` has no sequence behind it. It is
the previous position plus one, assigned by the appending statement under the table lock, so that positions have
no gaps.
"""

from alembic import op

revision = "0001"
down_revision = None

AUTOVACUUM = """
    autovacuum_vacuum_threshold = 100000000,
    autovacuum_vacuum_scale_factor = 0.5,
    autovacuum_analyze_threshold = 1000,
    autovacuum_analyze_scale_factor = 0.01
"""


def upgrade() -> None:
    op.execute(
        f"""
        CREATE TABLE events (
            originator_id uuid NOT NULL,
            originator_version bigint NOT NULL,
            topic text NOT NULL,
            state bytea NOT NULL,
            notification_id bigint NOT NULL,
            PRIMARY KEY (originator_id, originator_version)
        ) WITH ({AUTOVACUUM})
        """
    )
    op.execute("CREATE UNIQUE INDEX events_notification_id_idx ON events (notification_id)")
    op.execute(
        """
        CREATE TABLE snapshots (
            originator_id uuid NOT NULL,
            originator_version bigint NOT NULL,
            topic text NOT NULL,
            state bytea NOT NULL,
            PRIMARY KEY (originator_id, originator_version)
        )
        """
    )
    for table in ("events", "snapshots"):
        # lz4 costs a tenth of the default compression; a server built without it keeps the default.
        op.execute(
            f"""
            DO $$ BEGIN
                ALTER TABLE {table} ALTER COLUMN state SET COMPRESSION lz4;
            EXCEPTION WHEN feature_not_supported THEN NULL;
            END $$
            """
        )
    op.execute("CREATE TABLE log_identity (id uuid NOT NULL DEFAULT gen_random_uuid())")
    op.execute("INSERT INTO log_identity DEFAULT VALUES")


def downgrade() -> None:
    op.execute("DROP TABLE log_identity, snapshots, events")
