"""Keys of persons, and whose clients and things there are, so that somebody can be forgotten."""

from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE person_keys (
            person uuid PRIMARY KEY,
            key bytea,
            made_at timestamptz NOT NULL DEFAULT now(),
            forgotten_at timestamptz,
            CHECK ((key IS NULL) = (forgotten_at IS NOT NULL))
        )
        """
    )
    for table in ("connector_clients", "things"):
        op.execute(f"ALTER TABLE {table} ADD COLUMN person uuid")
        op.execute(f"CREATE INDEX {table}_by_person ON {table} (person)")
    # They tell who somebody is, in the clear. The events tell it all.
    op.execute(
        "DELETE FROM snapshots WHERE topic LIKE 'identity.user.snapshot.%'"
        " OR topic LIKE 'connectors.client.snapshot.%' OR topic LIKE 'connectors.thing.snapshot.%'"
    )


def downgrade() -> None:
    for table in ("connector_clients", "things"):
        op.execute(f"ALTER TABLE {table} DROP COLUMN person")
    op.execute("DROP TABLE person_keys")
