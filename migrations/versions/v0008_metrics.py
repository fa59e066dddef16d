"""Metrics: current values, and the history in rings.

Rows of `current_metrics` and `metric_series` are written again with every report. Room on their pages lets the new
version lie beside the old one, so that no index is touched (nothing that is indexed ever changes).

Averages lie in the row, uncompressed: they do not shrink, and nothing else is read as a rule. What belongs to them
moves out of the row when it grows.
"""

from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE current_metrics (
            device_id uuid NOT NULL,
            metric_id uuid NOT NULL,
            since bigint NOT NULL,
            name text NOT NULL,
            type text NOT NULL,
            slope text NOT NULL,
            units text NOT NULL,
            number double precision,
            words text,
            reported_at timestamptz NOT NULL,
            expires_at timestamptz NOT NULL,
            PRIMARY KEY (device_id, metric_id)
        ) WITH (fillfactor = 60)
        """
    )
    op.execute("CREATE INDEX current_metrics_by_metric ON current_metrics (metric_id, device_id)")
    op.execute(
        """
        CREATE TABLE metric_series (
            id bigint PRIMARY KEY,
            device_id uuid NOT NULL,
            metric_id uuid NOT NULL,
            state bytea NOT NULL,
            UNIQUE (device_id, metric_id)
        ) WITH (fillfactor = 50)
        """
    )
    op.execute("ALTER TABLE metric_series ALTER state SET STORAGE PLAIN")
    op.execute("CREATE INDEX metric_series_by_metric ON metric_series (metric_id, device_id)")
    op.execute(
        """
        CREATE TABLE metric_points (
            series_id bigint NOT NULL,
            archive smallint NOT NULL,
            slot smallint NOT NULL,
            first bigint NOT NULL,
            averages bytea NOT NULL,
            spreads bytea NOT NULL,
            PRIMARY KEY (series_id, archive, slot)
        )
        """
    )
    op.execute("ALTER TABLE metric_points ALTER averages SET STORAGE PLAIN, ALTER spreads SET STORAGE EXTERNAL")
    op.execute("CREATE TABLE metric_names (id uuid PRIMARY KEY, name text NOT NULL)")


def downgrade() -> None:
    op.execute("DROP TABLE metric_names, metric_points, metric_series, current_metrics")
