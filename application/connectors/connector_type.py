"""What a connector type is: a technology that can be connected, behind one interface, whether it comes with us or is
somebody else's service (contract connectors 2.7 and part 5)."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable
from uuid import UUID

from application.connectors.configuration import Configuration
from domain.connectors.properties import PropertyValue
from domain.connectors.thing import ThingDescription, ThingStatus


class Description(NamedTuple):
    """What is told of a type. `number` and `type_id` never change; the samples are complete request bodies."""

    number: int
    type_id: str
    name: str
    description: str
    logo: str
    sample_instance: Mapping[str, Any]
    sample_client: Mapping[str, Any]


class InstanceSettings(NamedTuple):
    """An instance as its type works with it, secrets opened. Never logged, recorded or shown."""

    id: UUID
    owner: str
    settings: Mapping[str, Any]


class ClientSettings(NamedTuple):
    """A client as its type works with it, secrets opened. Never logged, recorded or shown. `things` are those that it
    has made, by the foreign system's name of them."""

    id: UUID
    owner: str
    subject: str
    instance: InstanceSettings
    settings: Mapping[str, Any]
    things: Mapping[str, UUID]
    created_at: datetime


class Taken(NamedTuple):
    """How a service answered that was asked to take an instance or a client. `step` names what it wants first,
    `content` says it: of a `redirect` the page that the user has to visit."""

    step: Literal["redirect", "text", "markdown"] | None = None
    content: str = ""

    @property
    def complete(self) -> bool:
        return self.step is None


class RefusedError(Exception):
    """The other side does not want us, or what it says cannot be used. Time alone does not mend it: ERROR at once."""


class OutageError(Exception):
    """The other side cannot be reached now. It is tried again, with back-off."""


class ThingStaysError(Exception):
    """A thing would not be removed: the client stays, and goes on."""


class ActionOutcome(NamedTuple):
    """`pending`: what came of it is told later. `reason` says why it failed, None if it did not."""

    pending: bool = False
    reason: str | None = None


class AskedOfThing(NamedTuple):
    """What somebody asks of a thing. The parameters are texts, as properties are."""

    request_id: UUID
    thing_id: UUID
    connector_thing_id: str
    component_id: str
    action_id: str
    parameters: Mapping[str, str]


class ClientLine(Protocol):
    """What a connection tells of its client; each returns when it is on disk. Things are called by the foreign system's
    names. While the log is away, calls wait for it."""

    async def started(self) -> None:
        """The other side was reached: the client is STARTED, also after an outage or an error."""

    async def failed(self, reason: str) -> None:
        """The client is in ERROR, and the connection goes on; `started` takes it out again."""

    async def make_thing(
        self,
        connector_thing_id: str,
        description: ThingDescription,
        values: Sequence[PropertyValue] = (),
        status: ThingStatus = "AVAILABLE",
    ) -> UUID:
        """Makes the thing, or describes it anew, and returns its id: the same each time, also after a restart. Costs
        nothing when nothing changed and there are no values. Raises ThingInvalidError, TooManyThingsError."""

    async def update(self, connector_thing_id: str, values: Sequence[PropertyValue]) -> None:
        """Those of things and properties that there are not are left out."""

    async def set_status(self, connector_thing_id: str, status: ThingStatus) -> None: ...

    async def settle_action(self, request_id: UUID, reason: str | None = None) -> None:
        """What came of an action that was pending; `reason` when it failed. The first word counts."""


class Connection(Protocol):
    """One client at work, in the worker process."""

    async def run(self) -> None:
        """Until it is cancelled. Raises RefusedError or OutageError; anything else counts as an outage, and is logged.
        It is then opened and run again, so it must take up the things that there are."""

    async def act(self, asked: AskedOfThing) -> ActionOutcome:
        """Asks the other side. May come at any time while `run` runs. Raises OutageError."""

    async def remove(self) -> None:
        """The client is about to be removed, with its things. Raises ThingStaysError, and then it is not."""


class ConnectorType(Protocol):
    """Everything there is to a type. It checks in the API process and connects in the worker process."""

    @property
    def description(self) -> Description: ...

    def check_instance(self, given: Mapping[str, Any]) -> Configuration:
        """Form only: it reaches nobody. Raises ConfigurationInvalidError."""

    def check_client(self, given: Mapping[str, Any], instance: Mapping[str, Any], subject: str) -> Configuration:
        """The same for a client of an instance with these settings, of which those that are no secrets are given."""

    def open(self, client: ClientSettings, line: ClientLine) -> Connection:
        """Reaches nobody yet."""


@runtime_checkable
class AskingType(ConnectorType, Protocol):
    """A type with a service behind it that is asked to take instances and clients, or with a user who has to agree.

    It is asked in the API process after the instance or client was recorded, since the service may call back before it
    answers (contract 2.7.4), and again by the worker when that led to nothing."""

    async def take_instance(self, instance: InstanceSettings) -> Taken:
        """Raises RefusedError, OutageError."""

    async def drop_instance(self, instance: InstanceSettings) -> None:
        """Before it is removed. Whatever the service says, the removal goes on."""

    async def take_client(self, client: ClientSettings) -> Taken:
        """Raises RefusedError, OutageError."""


def asks(connector: ConnectorType) -> AskingType | None:
    """The type, if it has to ask somebody."""
    return connector if isinstance(connector, AskingType) else None
