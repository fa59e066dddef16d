"""What other systems call a device, and whether it has spoken for itself."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    # Until the read model is rebuilt, the devices there are count as they did: all of them had announced themselves.
    op.execute("ALTER TABLE devices ADD COLUMN external_id text, ADD COLUMN announced boolean NOT NULL DEFAULT true")
    op.execute(
        """
        CREATE INDEX devices_by_external_id ON devices (external_id)
        WHERE valid_to IS NULL AND external_id IS NOT NULL
        """
    )


def downgrade() -> None:
    op.execute("ALTER TABLE devices DROP COLUMN external_id, DROP COLUMN announced")
