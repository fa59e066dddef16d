"""What is asked about connectors: by the doors for whoever owns them, by the worker for whatever there is to run."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa

from application.connectors.records import Changed, ClientRecord, InstanceRecord, PublicationRecord
from domain.connectors.publication import PublishedConnector
from projections.connectors.connectors import CLIENTS, INSTANCES, PUBLICATIONS, Connectors
from projections.connectors.things import THINGS
from projections.database import Database

_configuration = msgspec.json.Decoder(dict[str, Any])
_connector = msgspec.json.Decoder(PublishedConnector)


class ConnectorQueries:
    """Fills `application.connectors.records.ConnectorRecords`. All may raise LogUnavailableError. Lists begin with the
    oldest."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list_publications(self) -> Sequence[PublicationRecord]:
        return [_publication(row) for row in await self._database.all(_LIST_PUBLICATIONS)]

    async def find_publication(self, type_id: str) -> PublicationRecord | None:
        if "\0" in type_id:
            return None
        row = await self._database.one(_FIND_PUBLICATION, type_id=type_id)
        return _publication(row) if row else None

    async def list_instances(self, owner: str) -> Sequence[UUID]:
        return [row[0] for row in await self._database.all(_LIST_INSTANCES, owner=owner)]

    async def find_instance(self, id: UUID) -> InstanceRecord | None:
        row = await self._database.one(_FIND_INSTANCE, id=id)
        return _instance(row) if row else None

    async def asked_instances(self) -> Sequence[InstanceRecord]:
        return [_instance(row) for row in await self._database.all(_ASKED_INSTANCES)]

    async def clients_of_instance(self, instance_id: UUID) -> Sequence[UUID]:
        return [row[0] for row in await self._database.all(_CLIENTS_OF_INSTANCE, instance_id=instance_id)]

    async def list_clients(self, owner: str, subject: str) -> Sequence[UUID]:
        if "\0" in subject:
            return ()
        return [row[0] for row in await self._database.all(_LIST_CLIENTS, owner=owner, subject=subject)]

    async def find_client(self, id: UUID) -> ClientRecord | None:
        row = await self._database.one(_FIND_CLIENT, id=id)
        return _client(row) if row else None

    async def things_of(self, client_id: UUID) -> Mapping[str, UUID]:
        rows = await self._database.all(_THINGS_OF, client_id=client_id)
        return {connector_thing_id: id for connector_thing_id, id in rows}  # noqa: C416  # rows are no pairs to mypy

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
_FIND_PUBLICATION = _present(PUBLICATIONS, *_PUBLICATION).where(PUBLICATIONS.c.type_id == sa.bindparam("type_id"))
_LIST_INSTANCES = _present(INSTANCES, "id").where(INSTANCES.c.owner == sa.bindparam("owner"))
_FIND_INSTANCE = _present(INSTANCES, *InstanceRecord._fields).where(INSTANCES.c.id == sa.bindparam("id"))
_ASKED_INSTANCES = _present(INSTANCES, *InstanceRecord._fields).where(
    INSTANCES.c.installation == sa.literal_column("'asked'")
)
_CLIENTS_OF_INSTANCE = _present(CLIENTS, "id").where(CLIENTS.c.instance_id == sa.bindparam("instance_id"))
_LIST_CLIENTS = _present(CLIENTS, "id").where(
    CLIENTS.c.subject == sa.bindparam("subject"), CLIENTS.c.owner == sa.bindparam("owner")
)
_FIND_CLIENT = _present(CLIENTS, *ClientRecord._fields).where(CLIENTS.c.id == sa.bindparam("id"))
_THINGS_OF = _present(THINGS, "connector_thing_id", "id").where(THINGS.c.client_id == sa.bindparam("client_id"))
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
