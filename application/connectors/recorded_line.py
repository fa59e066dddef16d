"""What a connection tells of its client, recorded. Fills ClientLine."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from typing import NamedTuple
from uuid import UUID

from application.connectors.action import CompleteAction, FailAction
from application.connectors.client import FailClient, ResumeClient, StartClient
from application.connectors.recorder import Recorder
from application.connectors.thing import ChangeThingStatus, MakeThing
from domain.connectors.action import ActionSettledError, ActionUnknownError
from domain.connectors.client import Status
from domain.connectors.properties import PropertyValue
from domain.connectors.thing import ThingDescription, ThingNotFoundError, ThingStatus
from domain.identifiers import made_thing_id


class _Made(NamedTuple):
    """A thing as it was recorded last. Of one that was made by an earlier process the description is not known."""

    description: ThingDescription | None
    status: ThingStatus


class RecordedLine:
    """Remembers what it has recorded, so that telling the same again costs nothing. One for as long as its client is
    run by this process, whichever connections come and go; `on_word` is called when the connection has said how it
    fares. `things` are those that earlier processes made."""

    def __init__(self, client_id: UUID, things: Collection[str], recorder: Recorder, status: Status) -> None:
        self._client_id = client_id
        self._things = things
        self._recorder = recorder
        self._made: dict[str, _Made] = {}
        self._before_outage: dict[str, ThingStatus] = {}
        self.status = status
        self.on_word: Callable[[], None] = lambda: None
        self.successes = 0

    async def started(self) -> None:
        self.on_word()
        self.successes += 1
        for name, status in list(self._before_outage.items()):
            await self.set_status(name, status)
        if self.status == "ERROR":
            await self._recorder.record(ResumeClient(client_id=self._client_id, reason="the other side was reached"))
        if self.status != "STARTED":
            await self._recorder.record(StartClient(client_id=self._client_id))
            self.status = "STARTED"

    async def failed(self, reason: str) -> None:
        self.on_word()
        if self.status != "ERROR":
            await self._recorder.record(FailClient(client_id=self._client_id, reason=reason))
            self.status = "ERROR"

    async def resumed(self, reason: str) -> None:
        """It is started by another process than before."""
        if self.status != "STARTING":
            await self._recorder.record(ResumeClient(client_id=self._client_id, reason=reason))
            self.status = "STARTING"

    async def make_thing(
        self,
        connector_thing_id: str,
        description: ThingDescription,
        values: Sequence[PropertyValue] = (),
        status: ThingStatus = "AVAILABLE",
    ) -> UUID:
        id = made_thing_id(self._client_id, connector_thing_id)
        if self._made.get(connector_thing_id) == (description, status):
            if values:
                await self._recorder.update(id, values)
        else:
            making = MakeThing(
                thing_id=id,
                client_id=self._client_id,
                connector_thing_id=connector_thing_id,
                description=description,
                status=status,
                values=tuple(values),
            )
            await self._recorder.record(making)
            self._made[connector_thing_id] = _Made(description, status)
        self._before_outage.pop(connector_thing_id, None)
        return id

    async def update(self, connector_thing_id: str, values: Sequence[PropertyValue]) -> None:
        await self._recorder.update(made_thing_id(self._client_id, connector_thing_id), values)

    async def set_status(self, connector_thing_id: str, status: ThingStatus) -> None:
        self._before_outage.pop(connector_thing_id, None)
        known = self._made.get(connector_thing_id)
        if known is not None and known.status == status:
            return
        id = made_thing_id(self._client_id, connector_thing_id)
        with suppress(ThingNotFoundError):  # somebody removed it
            await self._recorder.record(ChangeThingStatus(thing_id=id, status=status))
        self._made[connector_thing_id] = _Made(known.description if known else None, status)

    async def settle_action(self, request_id: UUID, reason: str | None = None) -> None:
        with suppress(ActionSettledError, ActionUnknownError):
            if reason is None:
                await self._recorder.record(CompleteAction(action_request_id=request_id))
            else:
                await self._recorder.record(FailAction(action_request_id=request_id, reason=reason))

    async def lost(self) -> None:
        """The other side is away: so are all things, until the connection says otherwise or is started again."""
        names = dict.fromkeys((*self._things, *self._made))
        await asyncio.gather(*(self._lose(name) for name in names))

    async def _lose(self, name: str) -> None:
        known = self._made.get(name)
        if known is None:
            thing = await self._recorder.find_thing(made_thing_id(self._client_id, name))
            if thing is None:
                return
            known = self._made[name] = _Made(thing.description, thing.status)
        if known.status != "UNAVAILABLE":
            await self.set_status(name, "UNAVAILABLE")
            self._before_outage[name] = known.status
