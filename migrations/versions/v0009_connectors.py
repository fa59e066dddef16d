"""Connectors: what is published, instances and clients; things, their values, and what is asked of them."""

from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE connector_publications (
            id uuid NOT NULL,
            owner text NOT NULL,
            number bigint NOT NULL,
            type_id text NOT NULL,
            connector text NOT NULL,
            public_key text NOT NULL,
            sealed_key text NOT NULL,
            created_at timestamptz NOT NULL,
            updated_at timestamptz NOT NULL,
            valid_from bigint NOT NULL,
            valid_to bigint,
            PRIMARY KEY (id, valid_from)
        )
        """
    )
    op.execute(
        "CREATE UNIQUE INDEX connector_publications_present ON connector_publications (id) WHERE valid_to IS NULL"
    )
    op.execute(
        """
        CREATE TABLE connector_instances (
            id uuid NOT NULL,
            owner text NOT NULL,
            type_id text NOT NULL,
            configuration text NOT NULL,
            sealed text NOT NULL,
            installation text NOT NULL,
            detail text NOT NULL,
            created_at timestamptz NOT NULL,
            updated_at timestamptz NOT NULL,
            valid_from bigint NOT NULL,
            valid_to bigint,
            PRIMARY KEY (id, valid_from)
        )
        """
    )
    op.execute("CREATE UNIQUE INDEX connector_instances_present ON connector_instances (id) WHERE valid_to IS NULL")
    op.execute("CREATE INDEX connector_instances_by_owner ON connector_instances USING hash (owner)")
    op.execute(
        "CREATE INDEX connector_instances_asked ON connector_instances (created_at)"
        " WHERE valid_to IS NULL AND installation = 'asked'"
    )
    op.execute(
        """
        CREATE TABLE connector_clients (
            id uuid NOT NULL,
            owner text NOT NULL,
            subject text NOT NULL,
            type_id text NOT NULL,
            instance_id uuid NOT NULL,
            configuration text NOT NULL,
            sealed text NOT NULL,
            status text NOT NULL,
            awaits text NOT NULL,
            location text NOT NULL,
            detail text NOT NULL,
            created_at timestamptz NOT NULL,
            updated_at timestamptz NOT NULL,
            valid_from bigint NOT NULL,
            valid_to bigint,
            PRIMARY KEY (id, valid_from)
        )
        """
    )
    op.execute("CREATE UNIQUE INDEX connector_clients_present ON connector_clients (id) WHERE valid_to IS NULL")
    # Hashes, because a subject may be called as it likes, and a text of kilobytes does not fit into a tree.
    op.execute("CREATE INDEX connector_clients_by_subject ON connector_clients USING hash (subject)")
    op.execute("CREATE INDEX connector_clients_by_owner ON connector_clients USING hash (owner)")
    op.execute("CREATE INDEX connector_clients_by_instance ON connector_clients (instance_id) WHERE valid_to IS NULL")
    # What changed since: the worker asks that all the time.
    op.execute("CREATE INDEX connector_clients_since ON connector_clients (valid_from)")
    op.execute("CREATE INDEX connector_clients_until ON connector_clients (valid_to)")
    op.execute(
        """
        CREATE TABLE things (
            id uuid NOT NULL,
            owner text NOT NULL,
            subject text NOT NULL,
            client_id uuid,
            connector_thing_id text NOT NULL,
            description text NOT NULL,
            status text NOT NULL,
            created_at timestamptz NOT NULL,
            updated_at timestamptz NOT NULL,
            valid_from bigint NOT NULL,
            valid_to bigint,
            PRIMARY KEY (id, valid_from)
        )
        """
    )
    op.execute("CREATE UNIQUE INDEX things_present ON things (id) WHERE valid_to IS NULL")
    op.execute("CREATE INDEX things_by_subject ON things USING hash (subject)")
    op.execute("CREATE INDEX things_by_client ON things (client_id) WHERE valid_to IS NULL")
    op.execute(
        """
        CREATE TABLE thing_properties (
            thing_id uuid NOT NULL,
            component_id text NOT NULL,
            property_id text NOT NULL,
            value text NOT NULL,
            updated_at timestamptz NOT NULL,
            PRIMARY KEY (thing_id, component_id, property_id)
        ) WITH (fillfactor = 70)
        """
    )
    op.execute(
        """
        CREATE TABLE thing_actions (
            id uuid PRIMARY KEY,
            thing_id uuid NOT NULL,
            client_id uuid,
            component_id text NOT NULL,
            action_id text NOT NULL,
            parameters text NOT NULL,
            status text NOT NULL,
            reason text,
            actor text NOT NULL,
            asked_at timestamptz NOT NULL,
            deadline timestamptz NOT NULL,
            settled_at timestamptz,
            position bigint NOT NULL
        )
        """
    )
    op.execute("CREATE INDEX thing_actions_by_thing ON thing_actions (thing_id, position)")


def downgrade() -> None:
    op.execute("DROP TABLE thing_actions, thing_properties, things")
    op.execute("DROP TABLE connector_clients, connector_instances, connector_publications")
