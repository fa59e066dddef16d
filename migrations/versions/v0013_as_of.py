"""What it takes to read more as of an earlier moment: at which position each thing became known."""

from alembic import op

revision = "0013"
down_revision = "0011"

_OUTCOMES = ("published_in", "failed_in", "answered_in", "timed_out_in")


def upgrade() -> None:
    op.execute(f"ALTER TABLE device_commands {', '.join(f'ADD COLUMN {name} bigint' for name in _OUTCOMES)}")


def downgrade() -> None:
    op.execute(f"ALTER TABLE device_commands {', '.join(f'DROP COLUMN {name}' for name in _OUTCOMES)}")
