"""What it takes to read more as of an earlier moment: at which position each thing became known, and keyframes."""

from alembic import op

revision = "0013"
down_revision = "0011"

_OUTCOMES = ("published_in", "failed_in", "answered_in", "timed_out_in")
_KEYFRAMES = ("thing_keyframes",)


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


def downgrade() -> None:
    op.execute(f"DROP TABLE {', '.join(_KEYFRAMES)}")
    op.execute("ALTER TABLE thing_actions DROP COLUMN settled_in")
    op.execute(f"ALTER TABLE device_commands {', '.join(f'DROP COLUMN {name}' for name in _OUTCOMES)}")
