"""Current metrics, state messages and the names of topics as of any moment.

The last values of each metric lie in its row, and move to a page when there are enough of them; that was told by
keyframes of devices before. A state message says which was the oldest that was there when it came.
"""

from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    op.execute("DROP TABLE current_metric_keyframes")
    # The rows that are there serve until all are made anew.
    op.execute(
        """
        ALTER TABLE current_metrics
            ADD COLUMN lasts bigint NOT NULL DEFAULT 0,
            ADD COLUMN first bigint NOT NULL DEFAULT 0,
            ADD COLUMN began timestamptz NOT NULL DEFAULT '1970-01-01T00:00:00Z',
            ADD COLUMN moments bigint[] NOT NULL DEFAULT '{}',
            ADD COLUMN numbers double precision[],
            ADD COLUMN texts text[]
        """
    )
    op.execute(
        """
        CREATE TABLE metric_pages (
            metric_id uuid NOT NULL,
            device_id uuid NOT NULL,
            since bigint NOT NULL,
            name text NOT NULL,
            type text NOT NULL,
            slope text NOT NULL,
            units text NOT NULL,
            lasts bigint NOT NULL,
            first bigint NOT NULL,
            began timestamptz NOT NULL,
            moments bigint[] NOT NULL,
            numbers double precision[],
            texts text[],
            upto bigint NOT NULL,
            ends boolean NOT NULL,
            PRIMARY KEY (metric_id, device_id, first)
        )
        """
    )
    op.execute("CREATE INDEX metric_pages_by_position ON metric_pages USING gist (int8range(first, upto))")
    op.execute("CREATE INDEX metric_pages_last_of_metric ON metric_pages (metric_id, device_id) WHERE ends")
    op.execute("CREATE INDEX metric_pages_last_of_device ON metric_pages (device_id, metric_id) WHERE ends")

    op.execute("ALTER TABLE state_messages ADD COLUMN oldest bigint NOT NULL DEFAULT 1")
    op.execute("CREATE TABLE stream_topics (name text PRIMARY KEY, since bigint NOT NULL)")
    op.execute("INSERT INTO stream_topics SELECT name, min(position) FROM stream_partition_moments GROUP BY name")


def downgrade() -> None:
    op.execute("DROP TABLE stream_topics")
    op.execute("ALTER TABLE state_messages DROP COLUMN oldest")
    op.execute("DROP TABLE metric_pages")
    columns = ("lasts", "first", "began", "moments", "numbers", "texts")
    op.execute(f"ALTER TABLE current_metrics {', '.join(f'DROP COLUMN {column}' for column in columns)}")
    op.execute(
        """
        CREATE TABLE current_metric_keyframes (
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
