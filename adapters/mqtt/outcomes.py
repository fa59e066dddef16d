"""What became of each message: counted, complained of where need be, answered where the contract offers an answer."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Protocol
from uuid import UUID

import msgspec

from adapters.mqtt.complaints import Complaints
from adapters.mqtt.intake import Entry, Outcome
from adapters.mqtt.messages import Discovery, Malformed, Readings
from adapters.mqtt.reports import Reports
from application.command import Receipt
from application.ports import NotPublishedError
from domain.devices.readings import ReadingsRecorded
from domain.errors import DomainError

Answer = Callable[[UUID, bytes], Awaitable[None]]


class GatewayObserver(Protocol):
    """Is told what comes in and what becomes of it. `kind` is readings, metrics, discovery, presence,
    response, reply, state, sign, malformed or ignored."""

    def message_received(self, kind: str, size: int) -> None: ...

    def readings_recorded(self, count: int) -> None: ...

    def readings_rejected(self, count: int) -> None: ...

    def message_rejected(self, reason: str) -> None:
        """`reason`: malformed, refused, defect or duplicate."""

    def unacknowledged(self, count: int) -> None: ...

    def connection_changed(self, connected: bool) -> None: ...


class Outcomes:
    """`tell` is called for each message just before it is acknowledged. `answer` None: nothing is answered."""

    def __init__(self, complaints: Complaints, observer: GatewayObserver | None, answer: Answer | None) -> None:
        self._complaints = complaints
        self._observer = observer
        self._answer = answer
        self._answering: set[asyncio.Task[None]] = set()

    def tell(self, entry: Entry, outcome: Outcome) -> None:
        match outcome, entry.understood:
            case Receipt(), Readings(readings=readings, rejected=rejected):
                recorded = sum(len(e.readings) for e in outcome.events if isinstance(e, ReadingsRecorded))
                self._count_readings(entry, recorded, len(readings) - recorded, rejected)
            case Receipt(), Reports(rejected=rejected, because=because) if rejected:
                self._reject(entry, "malformed", f"{rejected} of the reports left out: {because}")
            case Receipt(), Discovery(command=command):
                self._answer_discovery(command.device_id, None)
            case "duplicate", _:
                self._reject(entry, "duplicate", None)
            case "dropped", Malformed(reason=reason):
                self._reject(entry, "malformed", reason)
            case DomainError(), Discovery(command=command):
                self._reject(entry, "refused", outcome.message)
                self._answer_discovery(command.device_id, outcome.message)
            case DomainError(), _:
                self._reject(entry, "refused", outcome.message)
            case Exception(), _:
                self._reject(entry, "defect", f"{type(outcome).__name__}: {outcome}")

    async def close(self) -> None:
        """Gives up the answers that are still on their way."""
        for task in self._answering:
            task.cancel()
        await asyncio.gather(*self._answering, return_exceptions=True)

    def _count_readings(self, entry: Entry, recorded: int, unknown: int, malformed: int) -> None:
        if self._observer:
            self._observer.readings_recorded(recorded)
        if unknown or malformed:
            reason = "of no sensor in service" if not malformed else "not all of them readings of sensors in service"
            self._complain(entry, "with readings left out", reason)
            if self._observer:
                self._observer.readings_rejected(unknown + malformed)

    def _reject(self, entry: Entry, reason: str, because: str | None) -> None:
        if self._observer:
            self._observer.message_rejected(reason)
        if because is not None:
            self._complain(entry, reason, because)

    def _complain(self, entry: Entry, kind: str, reason: str) -> None:
        self._complaints.about(kind, entry.message.topic, len(entry.message.payload), reason)

    def _answer_discovery(self, device_id: UUID, error: str | None) -> None:
        """Optional by the contract (3.2 rule 9): sent once, and never waited for by anything."""
        if self._answer is None:
            return
        answer = {"type": "discovery_ack", "device_id": str(device_id), "status": "error" if error else "ok"}
        if error:
            answer["error"] = error
        task = asyncio.create_task(_try(self._answer(device_id, msgspec.json.encode(answer))))
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)


async def _try(publishing: Awaitable[None]) -> None:
    with suppress(NotPublishedError):
        await publishing
