"""Readings that are corrected and removed: their versions beside the present ones, and the removals of whole sensors.

The index by sensor also holds the value, so that averages over a long time read nothing but the index. That works on
pages which are known to be visible to all; hence inserts bring on a vacuum early, long before a fifth of the table is
new, which is the default.

The index by time is one of an expression, which only questions about all sensors use. As an index of the plain column
it was taken for single sensors too, and then the readings of all others were read to find those of one.
"""

from alembic import op

revision = "0005"
down_revision = "0004"

READINGS = "autovacuum_vacuum_insert_threshold = 50000, autovacuum_vacuum_insert_scale_factor = 0.02"


# Whatever their names are: those of a table that was rebuilt before this version were made up by PostgreSQL.
DROP_INDEXES = """
    DO $$ DECLARE index regclass; BEGIN
        FOR index IN SELECT indexrelid FROM pg_index WHERE indrelid = 'readings'::regclass AND NOT indisprimary LOOP
            EXECUTE format('DROP INDEX %s', index);
        END LOOP;
    END $$
"""


def upgrade() -> None:
    op.execute(DROP_INDEXES)
    op.execute("CREATE INDEX readings_by_sensor ON readings (sensor_id, value_at DESC, id DESC) INCLUDE (value)")
    op.execute("CREATE INDEX readings_by_time ON readings ((value_at AT TIME ZONE 'UTC') DESC, id DESC)")
    op.execute(f"ALTER TABLE readings SET ({READINGS})")
    op.execute(
        """
        CREATE TABLE reading_versions (
            id bigint NOT NULL,
            valid_from bigint NOT NULL,
            valid_to bigint,
            sensor_id uuid NOT NULL,
            value double precision NOT NULL,
            value_at timestamptz NOT NULL,
            what text NOT NULL,
            at timestamptz NOT NULL,
            actor text,
            PRIMARY KEY (id, valid_from)
        )
        """
    )
    op.execute("CREATE INDEX reading_versions_by_sensor ON reading_versions (sensor_id, value_at DESC, id DESC)")
    op.execute(
        """
        CREATE TABLE reading_cutoffs (
            sensor_id uuid NOT NULL,
            position bigint NOT NULL,
            at timestamptz NOT NULL,
            actor text NOT NULL,
            PRIMARY KEY (sensor_id, position)
        )
        """
    )


def downgrade() -> None:
    op.execute("DROP TABLE reading_cutoffs, reading_versions")
    op.execute("ALTER TABLE readings RESET (autovacuum_vacuum_insert_threshold, autovacuum_vacuum_insert_scale_factor)")
    op.execute("DROP INDEX readings_by_sensor, readings_by_time")
    op.execute("CREATE INDEX readings_by_sensor ON readings (sensor_id, value_at DESC, id DESC)")
    op.execute("CREATE INDEX readings_by_time ON readings (value_at DESC, id DESC)")
