"""Signed checkpoints of the log."""

from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    # `statement` is signed byte for byte, hence a text and no JSON.
    op.execute(
        """
        CREATE TABLE proof_checkpoints (
            number bigint PRIMARY KEY,
            last_position bigint NOT NULL UNIQUE,
            statement text NOT NULL,
            signature bytea NOT NULL,
            marks bytea NOT NULL
        )
        """
    )
    # Hashes cannot be compressed.
    op.execute("ALTER TABLE proof_checkpoints ALTER COLUMN marks SET STORAGE EXTERNAL")


def downgrade() -> None:
    op.execute("DROP TABLE proof_checkpoints")
