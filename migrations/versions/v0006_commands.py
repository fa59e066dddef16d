"""What devices were asked for, and the `state:` store."""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE device_commands (
            id uuid PRIMARY KEY,
            device_id uuid NOT NULL,
            position bigint NOT NULL,
            kind text NOT NULL,
            part_id uuid,
            action text NOT NULL,
            value text,
            requested_at timestamptz NOT NULL,
            actor text NOT NULL,
            state text NOT NULL,
            reason text,
            answered_at timestamptz,
            answer_status text,
            answer_value text,
            answer_error text
        )
        """
    )
    op.execute("CREATE INDEX device_commands_by_device ON device_commands (device_id, position DESC)")
    op.execute(
        """
        CREATE TABLE state_messages (
            id bigint PRIMARY KEY,
            number bigint NOT NULL,
            topic text NOT NULL,
            payload text NOT NULL,
            received_at timestamptz NOT NULL
        )
        """
    )
    op.execute("CREATE INDEX state_messages_by_number ON state_messages (number)")
    op.execute("CREATE INDEX state_messages_by_time ON state_messages (received_at)")


def downgrade() -> None:
    op.execute("DROP TABLE state_messages, device_commands")
