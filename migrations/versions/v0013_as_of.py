"""What it takes to read more as of an earlier moment: at which position each thing became known, and keyframes."""

from alembic import op

revision = "0013"
down_revision = "0012"

_OUTCOMES = ("published_in", "failed_in", "answered_in", "timed_out_in")
_KEYFRAMES = ("thing_keyframes", "stream_group_keyframes", "current_metric_keyframes")


def upgrade() -> None:
    op.execute(f"ALTER TABLE device_commands {', '.join(f'ADD COLUMN {name} bigint' for name in _OUTCOMES)}")
    op.execute("ALTER TABLE thing_actions ADD COLUMN settled_in bigint")
    for table in _KEYFRAMES:
        op.execute(
            f"""
            CREATE TABLE {table} (
                key uuid NOT NULL,
                position bigint NOT NULL,
                stream uuid,
                version bigint NOT NULL,
                state bytea NOT NULL,
                PRIMARY KEY (key, position)
            )
            """
        )
    op.execute("CREATE INDEX current_metric_keyframes_gone ON current_metric_keyframes (key) WHERE stream IS NULL")
    op.execute("CREATE TABLE stream_partition_moments (LIKE stream_partitions)")
    # Bytes are compared faster than the letters of a language, and nobody sorts these names.
    op.execute('ALTER TABLE stream_partition_moments ALTER COLUMN name TYPE text COLLATE "C"')
    op.execute("ALTER TABLE stream_partition_moments ADD COLUMN position bigint NOT NULL")
    op.execute("ALTER TABLE stream_partition_moments ADD PRIMARY KEY (name, partition, position)")
    op.execute("ALTER TABLE stream_retention ADD COLUMN valid_from bigint NOT NULL DEFAULT 0")
    op.execute("ALTER TABLE stream_retention ADD COLUMN valid_to bigint")
    op.execute("ALTER TABLE stream_retention DROP CONSTRAINT stream_retention_pkey, ADD PRIMARY KEY (name, valid_from)")
    op.execute(
        """
        CREATE TABLE stream_group_members (
            id uuid NOT NULL,
            name text NOT NULL,
            membership text NOT NULL,
            created_at timestamptz NOT NULL,
            updated_at timestamptz NOT NULL,
            valid_from bigint NOT NULL,
            valid_to bigint,
            PRIMARY KEY (id, valid_from)
        )
        """
    )
    op.execute("CREATE UNIQUE INDEX stream_group_members_present ON stream_group_members (id) WHERE valid_to IS NULL")
    op.execute("CREATE INDEX stream_group_members_by_name ON stream_group_members (name)")


def downgrade() -> None:
    op.execute("DROP TABLE stream_group_members, stream_partition_moments")
    op.execute("DELETE FROM stream_retention WHERE valid_to IS NOT NULL")
    op.execute("ALTER TABLE stream_retention DROP CONSTRAINT stream_retention_pkey, ADD PRIMARY KEY (name)")
    op.execute("ALTER TABLE stream_retention DROP COLUMN valid_from, DROP COLUMN valid_to")
    op.execute(f"DROP TABLE {', '.join(_KEYFRAMES)}")
    op.execute("ALTER TABLE thing_actions DROP COLUMN settled_in")
    op.execute(f"ALTER TABLE device_commands {', '.join(f'DROP COLUMN {name}' for name in _OUTCOMES)}")
