"""Which devices are connected, in a read model of its own instead of a column of the devices."""

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE connections (
            id uuid NOT NULL,
            device text NOT NULL,
            through text NOT NULL,
            holder text NOT NULL,
            connection_id uuid NOT NULL,
            device_id uuid,
            name text NOT NULL,
            type text NOT NULL,
            user_agent text NOT NULL,
            remote_address text NOT NULL,
            payload_mode text NOT NULL,
            created_at timestamptz NOT NULL,
            updated_at timestamptz NOT NULL,
            valid_from bigint NOT NULL,
            valid_to bigint,
            PRIMARY KEY (id, valid_from)
        )
        """
    )
    op.execute("CREATE UNIQUE INDEX connections_present ON connections (id) WHERE valid_to IS NULL")
    # A hash, because a device may call itself as it likes, and a text of kilobytes does not fit into a tree.
    op.execute("CREATE INDEX connections_by_device ON connections USING hash (device) WHERE valid_to IS NULL")
    op.execute(
        "CREATE INDEX connections_by_device_id ON connections (device_id)"
        " WHERE valid_to IS NULL AND device_id IS NOT NULL"
    )
    op.execute("CREATE INDEX connections_by_holder ON connections (holder) WHERE valid_to IS NULL AND holder <> ''")
    op.execute("ALTER TABLE devices DROP COLUMN connected")


def downgrade() -> None:
    op.execute("ALTER TABLE devices ADD COLUMN connected boolean NOT NULL DEFAULT false")
    op.execute("DROP TABLE connections")
