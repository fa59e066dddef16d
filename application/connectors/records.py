"""What is known of connectors, instances and clients outside of decisions: rows of their read models, and the ports
that find them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from domain.connectors.client import Awaits, Status
from domain.connectors.instance import Installation
from domain.connectors.publication import PublishedConnector


class PublicationRecord(NamedTuple):
    id: UUID
    owner: str
    number: int
    connector: PublishedConnector
    public_key: str
    sealed_key: str


class InstanceRecord(NamedTuple):
    id: UUID
    owner: str
    type_id: str
    configuration: Mapping[str, Any]
    sealed: str
    installation: Installation
    created_at: datetime


class ClientRecord(NamedTuple):
    """`location` is the page that the user has to visit, while that is awaited; `detail` why it is in ERROR."""

    id: UUID
    owner: str
    subject: str
    type_id: str
    instance_id: UUID
    configuration: Mapping[str, Any]
    sealed: str
    status: Status
    awaits: Awaits
    location: str
    detail: str
    created_at: datetime
    updated_at: datetime


class Changed(NamedTuple):
    """What changed since a position: clients as they are now, and those that are gone. `position` is how far that goes;
    what changes afterwards is told next time, and nothing is ever left out."""

    position: int
    clients: Sequence[ClientRecord]
    gone: Sequence[UUID]


class ConnectorRecords(Protocol):
    """Filled by `projections.connectors`. Every call may raise LogUnavailableError."""

    async def find_instance(self, id: UUID) -> InstanceRecord | None: ...

    async def find_client(self, id: UUID) -> ClientRecord | None: ...

    async def find_publication(self, type_id: str) -> PublicationRecord | None: ...

    async def things_of(self, client_id: UUID) -> Mapping[str, UUID]:
        """The things that a client made, by the foreign system's name of them."""

    async def asked_instances(self) -> Sequence[InstanceRecord]:
        """Those whose service has not said yet what it thinks of them."""

    async def changed_clients(self, after: int) -> Changed:
        """From the position 0 on: all that there are."""


class Sealer(Protocol):
    """Encrypts secrets for the log, and opens them for whoever works with them."""

    def seal(self, secrets: Mapping[str, Any]) -> str:
        """Empty for no secrets. Another text each time."""

    def open(self, sealed: str) -> Mapping[str, Any]:
        """Raises SealBrokenError for what was sealed with another key, or changed since."""


class SealBrokenError(Exception):
    """What was sealed cannot be opened: it was sealed with another key, or changed since."""
