"""What is asked about connectors: by the doors for whoever owns them, by the worker for whatever there is to run."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from application.connectors.records import Changed, ClientRecord, InstanceRecord, PublicationRecord
from domain.connectors.publication import PublishedConnector
from projections.connectors.connectors import CLIENTS, INSTANCES, PUBLICATIONS, Connectors
from projections.connectors.things import THINGS
from projections.database import Database
from projections.present_lookup import PresentLookup

_configuration = msgspec.json.Decoder(dict[str, Any])
_connector = msgspec.json.Decoder(PublishedConnector)


class ConnectorQueries:
    """Fills `application.connectors.records.ConnectorRecords`. All may raise LogUnavailableError. Lists begin with the
    oldest."""

    def __init__(self, database: Database) -> None:
        self._database = database
        # A worker that takes over, or creates many, asks for thousands at once.
        self._publications = PresentLookup(self._find_publications)
        self._instances = PresentLookup(self._find_instances)
        self._clients = PresentLookup(self._find_clients)
        self._things = PresentLookup(self._find_things)

    async def list_publications(self) -> Sequence[PublicationRecord]:
        return [_publication(row) for row in await self._database.all(_LIST_PUBLICATIONS)]

    async def find_publication(self, type_id: str) -> PublicationRecord | None:
        return None if "\0" in type_id else await self._publications.find(type_id)

    async def list_instances(self, owner: str) -> Sequence[UUID]:
        return [row[0] for row in await self._database.all(_LIST_INSTANCES, owner=owner)]

    async def find_instance(self, id: UUID) -> InstanceRecord | None:
        return await self._instances.find(id)

    async def asked_instances(self) -> Sequence[InstanceRecord]:
        return [_instance(row) for row in await self._database.all(_ASKED_INSTANCES)]

    async def clients_of_instance(self, instance_id: UUID) -> Sequence[UUID]:
        return [row[0] for row in await self._database.all(_CLIENTS_OF_INSTANCE, instance_id=instance_id)]

    async def list_clients(self, owner: str, subject: str) -> Sequence[UUID]:
        if "\0" in subject:
            return ()
        return [row[0] for row in await self._database.all(_LIST_CLIENTS, owner=owner, subject=subject)]

    async def find_client(self, id: UUID) -> ClientRecord | None:
        return await self._clients.find(id)

    async def things_of(self, client_id: UUID) -> Mapping[str, UUID]:
        return await self._things.find(client_id) or {}

    async def subjects_of(self, owner: str) -> Sequence[str]:
        """Everybody for whom the owner ever had a client or a thing."""
        return [row[0] for row in await self._database.fetch(_SUBJECTS, {"owner": owner})]

    async def knows(self, owner: str, subject: str) -> bool:
        """Whether the owner ever had a client or a thing for the subject."""
        if "\0" in subject:
            return False
        return bool(await self._database.fetch(_KNOWS, {"owner": owner, "subject": subject}))

    async def changed_clients(self, after: int) -> Changed:
        rows = await self._database.fetch(_CHANGED, {"after": after, "model": Connectors.name})
        position = rows[0][0] if rows else after
        clients = [_client(row[3:]) for row in rows if row[1] and row[2]]
        return Changed(position, clients, [row[3] for row in rows if row[1] and not row[2]])

    async def _find_publications(self, type_ids: Collection[str]) -> Mapping[str, PublicationRecord]:
        rows = await self._database.all(_FIND_PUBLICATIONS, type_ids=list(type_ids))
        return {row[0]: _publication(row[1:]) for row in rows}

    async def _find_instances(self, ids: Collection[UUID]) -> Mapping[UUID, InstanceRecord]:
        rows = await self._database.all(_FIND_INSTANCES, ids=list(ids))
        return {instance.id: instance for instance in map(_instance, rows)}

    async def _find_clients(self, ids: Collection[UUID]) -> Mapping[UUID, ClientRecord]:
        rows = await self._database.all(_FIND_CLIENTS, ids=list(ids))
        return {client.id: client for client in map(_client, rows)}

    async def _find_things(self, client_ids: Collection[UUID]) -> Mapping[UUID, Mapping[str, UUID]]:
        """Of each client."""
        things = defaultdict[UUID, dict[str, UUID]](dict)
        for client_id, connector_thing_id, id in await self._database.all(_FIND_THINGS, client_ids=list(client_ids)):
            things[client_id][connector_thing_id] = id
        return things


def _publication(row: Sequence[Any]) -> PublicationRecord:
    id, owner, number, connector, public_key, sealed_key = row
    return PublicationRecord(id, owner, number, _connector.decode(connector), public_key, sealed_key)


def _instance(row: Sequence[Any]) -> InstanceRecord:
    known = InstanceRecord._make(row)
    return known._replace(configuration=_configuration.decode(row[3]))


def _client(row: Sequence[Any]) -> ClientRecord:
    known = ClientRecord._make(row)
    return known._replace(configuration=_configuration.decode(row[5]))


def _present(table: sa.Table, *columns: str) -> sa.Select[Any]:
    selected = sa.select(*[table.c[column] for column in columns]).where(table.c.valid_to.is_(None))
    return selected.order_by(table.c.created_at, table.c.id)


_PUBLICATION = ("id", "owner", "number", "connector", "public_key", "sealed_key")
_LIST_PUBLICATIONS = _present(PUBLICATIONS, *_PUBLICATION).order_by(None).order_by(PUBLICATIONS.c.number)
_FIND_PUBLICATIONS = _present(PUBLICATIONS, "type_id", *_PUBLICATION).where(
    PUBLICATIONS.c.type_id == sa.any_(sa.bindparam("type_ids", type_=ARRAY(sa.Text)))
)
_LIST_INSTANCES = _present(INSTANCES, "id").where(INSTANCES.c.owner == sa.bindparam("owner"))
_FIND_INSTANCES = _present(INSTANCES, *InstanceRecord._fields).where(
    INSTANCES.c.id == sa.any_(sa.bindparam("ids", type_=ARRAY(sa.Uuid)))
)
_ASKED_INSTANCES = _present(INSTANCES, *InstanceRecord._fields).where(
    INSTANCES.c.installation == sa.literal_column("'asked'")
)
_CLIENTS_OF_INSTANCE = _present(CLIENTS, "id").where(CLIENTS.c.instance_id == sa.bindparam("instance_id"))
_LIST_CLIENTS = _present(CLIENTS, "id").where(
    CLIENTS.c.subject == sa.bindparam("subject"), CLIENTS.c.owner == sa.bindparam("owner")
)
_FIND_CLIENTS = _present(CLIENTS, *ClientRecord._fields).where(
    CLIENTS.c.id == sa.any_(sa.bindparam("ids", type_=ARRAY(sa.Uuid)))
)
_FIND_THINGS = _present(THINGS, "client_id", "connector_thing_id", "id").where(
    THINGS.c.client_id == sa.any_(sa.bindparam("client_ids", type_=ARRAY(sa.Uuid)))
)
_SUBJECTS = b"""
    SELECT subject FROM (
        SELECT subject FROM connector_clients WHERE owner = %(owner)s
        UNION SELECT subject FROM things WHERE owner = %(owner)s
    ) known ORDER BY subject COLLATE "C"
"""
_KNOWS = b"""
    (SELECT FROM connector_clients WHERE owner = %(owner)s AND subject = %(subject)s LIMIT 1)
    UNION ALL (SELECT FROM things WHERE owner = %(owner)s AND subject = %(subject)s LIMIT 1)
"""
_COLUMNS = ", ".join(f"c.{field}" for field in ClientRecord._fields)
# One statement, so that the position and the rows are of one moment. Whatever is gone has no present version.
_CHANGED = f"""
    SELECT p.position, c.id IS NOT NULL AS any, c.valid_to IS NULL AS present, {_COLUMNS}
    FROM (SELECT position FROM projections WHERE name = %(model)s) p
    LEFT JOIN LATERAL (
        SELECT * FROM connector_clients WHERE valid_from > %(after)s AND valid_to IS NULL
        UNION ALL
        SELECT * FROM (
            SELECT DISTINCT ON (g.id) g.* FROM connector_clients g WHERE g.valid_to > %(after)s
                AND NOT EXISTS (SELECT FROM connector_clients n WHERE n.id = g.id AND n.valid_to IS NULL)
        ) gone
    ) c ON true
    ORDER BY c.created_at, c.id
""".encode()
