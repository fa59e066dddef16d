"""Topics and groups, when each consumer was last heard of, and what arrived at it last."""

from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE stream_partitions (
            name text NOT NULL,
            partition smallint NOT NULL,
            messages bigint NOT NULL,
            entries bigint NOT NULL,
            bytes bigint NOT NULL,
            first_offset bigint NOT NULL,
            first_entries bigint NOT NULL,
            first_at timestamptz NOT NULL,
            last_at timestamptz NOT NULL,
            rate double precision NOT NULL,
            PRIMARY KEY (name, partition)
        )
        """
    )
    op.execute(
        """
        CREATE TABLE stream_days (
            name text NOT NULL,
            day date NOT NULL,
            partition smallint NOT NULL,
            messages bigint NOT NULL,
            bytes bigint NOT NULL,
            first_offset bigint NOT NULL,
            first_entries bigint NOT NULL,
            PRIMARY KEY (name, day, partition)
        )
        """
    )
    op.execute(
        "CREATE TABLE stream_retention (name text PRIMARY KEY, max_age_days bigint, max_bytes bigint,"
        " disposal text NOT NULL)"
    )
    op.execute("CREATE TABLE stream_groups (id uuid PRIMARY KEY, name text NOT NULL, state bytea NOT NULL)")
    # No read models: they say who is there, not what happened. Ids are texts of any kind, hence bytes.
    op.execute("CREATE TABLE stream_sessions (consumer_id bytea PRIMARY KEY, seen_at timestamptz NOT NULL)")
    op.execute("CREATE INDEX stream_sessions_by_time ON stream_sessions (seen_at)")
    op.execute(
        "CREATE TABLE stream_deliveries"
        " (consumer_id bytea PRIMARY KEY, delivery uuid NOT NULL, arrived_at timestamptz NOT NULL)"
    )

    op.execute("CREATE TABLE checkpoints (name text PRIMARY KEY, position bigint NOT NULL)")


def downgrade() -> None:
    for table in ("checkpoints", "stream_deliveries", "stream_sessions", "stream_groups", "stream_retention"):
        op.execute(f"DROP TABLE {table}")
    op.execute("DROP TABLE stream_days")
    op.execute("DROP TABLE stream_partitions")
