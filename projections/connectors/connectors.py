"""What is published, which instances there are, and which clients: all versions of each.

The queries stand in `connector_queries.py`.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, ClassVar

import msgspec
import sqlalchemy as sa

from domain.connectors.client import (
    ClientAdmitted,
    ClientCreated,
    ClientFailed,
    ClientRedirected,
    ClientRemoved,
    ClientResumed,
    ClientStarted,
)
from domain.connectors.instance import (
    InstanceCreated,
    InstanceInstallationDelayed,
    InstanceInstallationFailed,
    InstanceInstalled,
    InstanceRemoved,
)
from domain.connectors.publication import ConnectorPublished, ConnectorWithdrawn
from domain.connectors.subject import SubjectForgotten
from domain.event import Event, Recorded
from domain.identifiers import subject_id
from domain.person import pseudonym
from projections.batch import Batch
from projections.readmodel import Target
from projections.versioned import Row, VersionedRows, rewrite, versioned_table

# `connector` and `configuration` are JSON; text, because jsonb cannot hold every text of JSON. What is sealed stays so.
PUBLICATIONS = versioned_table(
    "connector_publications",
    sa.Column("owner", sa.Text, nullable=False),
    sa.Column("number", sa.BigInteger, nullable=False),
    sa.Column("type_id", sa.Text, nullable=False),
    sa.Column("connector", sa.Text, nullable=False),
    sa.Column("public_key", sa.Text, nullable=False),
    sa.Column("sealed_key", sa.Text, nullable=False),
)

INSTANCES = versioned_table(
    "connector_instances",
    sa.Column("owner", sa.Text, nullable=False),
    sa.Column("type_id", sa.Text, nullable=False),
    sa.Column("configuration", sa.Text, nullable=False),
    sa.Column("sealed", sa.Text, nullable=False),
    sa.Column("installation", sa.Text, nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
)

CLIENTS = versioned_table(
    "connector_clients",
    sa.Column("person", sa.Uuid, nullable=False),
    sa.Column("owner", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("type_id", sa.Text, nullable=False),
    sa.Column("instance_id", sa.Uuid, nullable=False),
    sa.Column("configuration", sa.Text, nullable=False),
    sa.Column("sealed", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("awaits", sa.Text, nullable=False),
    sa.Column("location", sa.Text, nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
)

_PUBLICATION_EVENTS = (ConnectorPublished, ConnectorWithdrawn)
_INSTANCE_EVENTS = (
    InstanceCreated,
    InstanceInstalled,
    InstanceInstallationDelayed,
    InstanceInstallationFailed,
    InstanceRemoved,
)
_CLIENT_EVENTS = (
    ClientCreated,
    ClientRedirected,
    ClientAdmitted,
    ClientResumed,
    ClientStarted,
    ClientFailed,
    ClientRemoved,
)


class Connectors:
    """The read model `connectors`."""

    name: ClassVar[str] = "connectors"
    version: ClassVar[int] = 2
    tables: ClassVar[Sequence[sa.Table]] = (PUBLICATIONS, INSTANCES, CLIENTS)

    def __init__(self) -> None:
        self._rows_of: dict[type[Event], VersionedRows] = {
            **dict.fromkeys(_PUBLICATION_EVENTS, VersionedRows(PUBLICATIONS, _evolve_publication)),
            **dict.fromkeys(_INSTANCE_EVENTS, VersionedRows(INSTANCES, _evolve_instance)),
            **dict.fromkeys(_CLIENT_EVENTS, VersionedRows(CLIENTS, _evolve_client)),
        }

    async def apply(self, batch: Batch, to: Target) -> None:
        concerned: dict[VersionedRows, list[Recorded]] = defaultdict(list)
        for recorded in batch.of(*self._rows_of):
            concerned[self._rows_of[type(recorded.event)]].append(recorded)
        for rows, events in concerned.items():
            await rows.apply(events, to)
        for recorded in batch.of(SubjectForgotten):
            if isinstance(recorded.event, SubjectForgotten):
                name = pseudonym(recorded.event.person)
                for person in (recorded.event.person, recorded.aggregate_id):
                    await rewrite(to, CLIENTS, "person", person, subject=name, configuration="{}", sealed="")


def _evolve_publication(row: Row | None, recorded: Recorded) -> Row | None:
    match recorded.event:
        case ConnectorPublished() as event:
            return _new(
                recorded,
                owner=event.owner,
                number=event.number,
                type_id=event.type_id,
                connector=_json(event.connector),
                public_key=event.public_key,
                sealed_key=event.sealed_key,
            )
        case ConnectorWithdrawn():
            return None
    return row


def _evolve_instance(row: Row | None, recorded: Recorded) -> Row | None:
    at = recorded.envelope.at
    match recorded.event:
        case InstanceCreated() as event:
            return _new(
                recorded,
                owner=event.owner,
                type_id=event.type_id,
                configuration=_json(event.configuration),
                sealed=event.sealed,
                installation="asked",
                detail="",
            )
        case InstanceInstalled() if row:
            return {**row, "installation": "complete", "detail": "", "updated_at": at}
        case InstanceInstallationDelayed() as event if row:
            return {**row, "installation": "ongoing", "detail": event.content, "updated_at": at}
        case InstanceInstallationFailed() as event if row:
            return {**row, "installation": "failed", "detail": event.reason, "updated_at": at}
        case InstanceRemoved():
            return None
    return row


def _evolve_client(row: Row | None, recorded: Recorded) -> Row | None:
    at = recorded.envelope.at
    match recorded.event:
        case ClientCreated() as event:
            return _new(
                recorded,
                # Of who had no key yet, the subject itself is as good.
                person=event.person or subject_id(event.owner, event.subject),
                owner=event.owner,
                subject=event.subject,
                type_id=event.type_id,
                instance_id=event.instance_id,
                configuration=_json(event.configuration),
                sealed=event.sealed,
                status="STARTING",
                awaits=event.awaits,
                location="",
                detail="",
            )
        case ClientRedirected() as event if row:
            return {**row, "awaits": "user", "location": event.location, "updated_at": at}
        case ClientAdmitted() if row:
            return {
                **row,
                "awaits": "worker",
                "status": "STARTING",
                "location": "",
                "detail": "",
                "updated_at": at,
            }
        case ClientResumed() if row:
            return {**row, "status": "STARTING", "detail": "", "updated_at": at}
        case ClientStarted() if row:
            return {**row, "status": "STARTED", "detail": "", "updated_at": at}
        case ClientFailed() as event if row:
            return {**row, "status": "ERROR", "detail": event.reason, "updated_at": at}
        case ClientRemoved():
            return None
    return row


def _new(recorded: Recorded, **columns: Any) -> Row:
    at = recorded.envelope.at
    return {"id": recorded.aggregate_id, **columns, "created_at": at, "updated_at": at}


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
