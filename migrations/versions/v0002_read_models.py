"""The first read models and the bookkeeping of all of them."""

from alembic import op

revision = "0002"
down_revision = "0001"

VERSIONED = "valid_from bigint NOT NULL, valid_to bigint"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE projections (
            name text PRIMARY KEY,
            version int NOT NULL,
            position bigint NOT NULL DEFAULT 0,
            rate real NOT NULL DEFAULT 0,
            state text NOT NULL DEFAULT 'starting',
            detail text NOT NULL DEFAULT '',
            updated_at timestamptz NOT NULL DEFAULT now()
        )
        """
    )
    op.execute(
        """
        CREATE TABLE rebuilds (
            name text PRIMARY KEY,
            position bigint NOT NULL,
            target bigint NOT NULL,
            rate real NOT NULL DEFAULT 0,
            state text NOT NULL,
            started_at timestamptz NOT NULL DEFAULT now(),
            updated_at timestamptz NOT NULL DEFAULT now()
        )
        """
    )
    _versioned("users", "username text NOT NULL, disabled boolean NOT NULL")
    _versioned(
        "devices",
        """name text NOT NULL, description text NOT NULL, location text NOT NULL, status_id smallint NOT NULL,
        mac_address text, connected boolean NOT NULL""",
    )
    for table in ("sensors", "actors"):
        _versioned(
            table,
            """device_id uuid NOT NULL, name text NOT NULL, type text NOT NULL, data_type_id bigint NOT NULL,
            origin text NOT NULL, retired boolean NOT NULL""",
        )
    op.execute(
        """
        CREATE TABLE readings (
            id bigint PRIMARY KEY,
            sensor_id uuid NOT NULL,
            value double precision NOT NULL,
            value_at timestamptz NOT NULL,
            received_at timestamptz NOT NULL
        )
        """
    )
    op.execute("CREATE INDEX readings_by_sensor ON readings (sensor_id, value_at DESC, id DESC)")
    op.execute("CREATE INDEX readings_by_time ON readings (value_at DESC, id DESC)")


def _versioned(table: str, columns: str) -> None:
    """A registry table that keeps every version of a row; the present one has no `valid_to`."""
    op.execute(
        f"""
        CREATE TABLE {table} (
            id uuid NOT NULL,
            {columns},
            created_at timestamptz NOT NULL,
            updated_at timestamptz NOT NULL,
            {VERSIONED},
            PRIMARY KEY (id, valid_from)
        )
        """
    )
    op.execute(f"CREATE UNIQUE INDEX {table}_present ON {table} (id) WHERE valid_to IS NULL")


def downgrade() -> None:
    op.execute("DROP TABLE readings, actors, sensors, devices, users, rebuilds, projections")
