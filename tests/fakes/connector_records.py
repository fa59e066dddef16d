"""The port ConnectorRecords on the log in memory: what the read models of the real one would say, without any lag."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from application.connectors.records import Changed, ClientRecord, InstanceRecord, PublicationRecord
from application.ports import LogUnavailableError
from domain.connectors.client import CLIENT, Client, ClientCreated, ClientFailed, ClientRedirected
from domain.connectors.instance import INSTANCE, InstanceCreated
from domain.connectors.publication import PUBLICATION
from domain.connectors.thing import THING
from domain.decider import Decider
from domain.event import Recorded
from domain.identifiers import thing_stream_id
from domain.value import State
from tests.fakes.event_log import FakeEventLog

S = TypeVar("S", bound=State)


class FakeConnectorRecords:
    """`aged` says when something is taken to have happened that happened then."""

    def __init__(self, log: FakeEventLog, aged: Callable[[datetime], datetime] = lambda at: at) -> None:
        self._log = log
        self._aged = aged

    async def find_instance(self, id: UUID) -> InstanceRecord | None:
        instance = self._state(INSTANCE, id)
        if instance is None:
            return None
        return InstanceRecord(
            id,
            instance.owner,
            instance.type_id,
            instance.configuration,
            instance.sealed,
            instance.installation,
            self._aged(self._events(id)[0].envelope.at),
        )

    async def find_client(self, id: UUID) -> ClientRecord | None:
        client = self._state(CLIENT, id)
        return self._record(id, client) if client is not None else None

    async def find_publication(self, type_id: str) -> PublicationRecord | None:
        for id in {recorded.aggregate_id for recorded in self._log.recorded}:
            known = self._state(PUBLICATION, id)
            if known is not None and known.connector.type_id == type_id:
                return PublicationRecord(
                    id, known.owner, known.number, known.connector, known.public_key, known.sealed_key
                )
        return None

    async def things_of(self, client_id: UUID) -> Mapping[str, UUID]:
        client = self._state(CLIENT, client_id)
        things = {id: self._state(THING, thing_stream_id(id)) for id in client.things} if client is not None else {}
        return {thing.connector_thing_id: id for id, thing in things.items() if thing is not None}

    async def asked_instances(self) -> Sequence[InstanceRecord]:
        created = [recorded.aggregate_id for recorded in self._log.recorded if type(recorded.event) is InstanceCreated]
        known = [await self.find_instance(id) for id in created]
        return [record for record in known if record is not None and record.installation == "asked"]

    async def changed_clients(self, after: int) -> Changed:
        if self._log.away:
            raise LogUnavailableError("away")
        head = len(self._log.recorded)
        changed = dict.fromkeys(
            recorded.aggregate_id
            for recorded in self._log.recorded[after:]
            if recorded.event.topic.startswith("connectors.client.")
        )
        states = {id: self._state(CLIENT, id) for id in changed}
        return Changed(
            head,
            [self._record(id, client) for id, client in states.items() if client is not None],
            [id for id, client in states.items() if client is None],
        )

    def _record(self, id: UUID, client: Client) -> ClientRecord:
        events = self._events(id)
        pages = [event.event.location for event in events if isinstance(event.event, ClientRedirected)]
        reasons = [event.event.reason for event in events if isinstance(event.event, ClientFailed)]
        assert isinstance(events[0].event, ClientCreated)
        return ClientRecord(
            id=id,
            owner=client.owner,
            subject=client.subject,
            type_id=client.type_id,
            instance_id=client.instance_id,
            configuration=client.configuration,
            sealed=client.sealed,
            status=client.status,
            awaits=client.awaits,
            location=pages[-1] if pages and client.awaits == "user" else "",
            detail=reasons[-1] if reasons and client.status == "ERROR" else "",
            created_at=self._aged(events[0].envelope.at),
            updated_at=self._aged(events[-1].envelope.at),
        )

    def _events(self, id: UUID) -> list[Recorded]:
        return [recorded for recorded in self._log.recorded if recorded.aggregate_id == id]

    def _state(self, decider: Decider[S], id: UUID) -> S | None:
        return decider.fold(recorded.event for recorded in self._events(id))
