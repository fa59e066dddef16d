"""The MQTT gateway (design §4): messages become commands, and are acknowledged after their events are committed."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from itertools import count
from time import monotonic
from typing import Any
from uuid import UUID, uuid4

import msgspec
import structlog

from adapters.eventstore.tenure import Tenure
from adapters.mqtt.backoff import delays
from adapters.mqtt.broker import Broker
from adapters.mqtt.complaints import Complaints
from adapters.mqtt.duty import Duty
from adapters.mqtt.flow import Flow
from adapters.mqtt.intake import Answer, Entry, Intake, Outcome
from adapters.mqtt.meaning import KINDS, command_of, device_of, digest_of
from adapters.mqtt.messages import Discovery, Ignored, Presence, Readings, StateMessage, Understood, understand
from adapters.mqtt.outcomes import GatewayObserver, Outcomes
from adapters.mqtt.questions import Questions
from adapters.mqtt.redelivery import Redelivery
from adapters.mqtt.replies import Reply
from adapters.mqtt.reports import Reports
from adapters.mqtt.session import Arrived, ConnectionLostError, Session, Will, connected
from adapters.mqtt.silence import SilenceWatch
from adapters.mqtt.topics import Topics
from adapters.mqtt.traffic import DeviceTraffic
from application.devices.device import ReportSilence
from application.executor import CommandExecutor
from application.ports import CauseLog, Clock, NotPublishedError, Question, Totals, Traffic
from domain.devices.device import OFFLINE
from domain.devices.sensor import SENSOR
from domain.event import Origin

_log = structlog.get_logger("tidemark.mqtt")

_SILENCE_SECONDS = 10.0
_SHUTDOWN_SECONDS = 5.0
_ANNOUNCE_SECONDS = 5.0
_ANSWER_SECONDS = 2.0
_HELD_SECONDS = 10.0


class GatewaySettings(msgspec.Struct, frozen=True, kw_only=True):
    """`client_id` names the session that the broker keeps, so it must stay the same over restarts. Gateways of one
    installation share it: one is connected, the others stand by. Beyond `max_unacknowledged` messages or bytes taken
    and not committed, the gateway reads no further. `ack_wait` is the longest that the broker waits, in seconds, before
    it delivers again what was not acknowledged."""

    broker: Broker
    topic: str = "lambdaiot"
    keeps_state: bool = True
    client_id: str = "tidemark"
    ack_wait: float = 30.0
    max_unacknowledged: int = 10_000
    max_unacknowledged_bytes: int = 8 * 1024 * 1024
    answers_discovery: bool = True


class MqttGateway:
    """Use `running()` around its life. Fills the port Holder for all devices on MQTT, by their ids.

    With a `tenure` it connects only once that is held, and stands by until then. Connected, it stays so while nobody
    knows whose the lease is, and goes when another process has it.
    """

    def __init__(
        self,
        settings: GatewaySettings,
        executor: CommandExecutor,
        causes: CauseLog,
        clock: Clock,
        observer: GatewayObserver | None = None,
        silence: SilenceWatch | None = None,
        tenure: Tenure | None = None,
    ) -> None:
        self._settings = settings
        self._topics = Topics(settings.topic, settings.keeps_state)
        self._executor = executor
        self._observer = observer
        self._silence = silence or SilenceWatch(monotonic)
        self._complaints = Complaints(monotonic)
        self._traffic = DeviceTraffic()
        self._questions = Questions(self._topics, self._publish_to)
        answer = self._answer if settings.answers_discovery else None
        self._outcomes = Outcomes(self._complaints, observer, answer)
        self._flow = Flow(settings.max_unacknowledged, settings.max_unacknowledged_bytes)
        self._intake = Intake(executor.submit, self._settle, self._trouble)
        self._redelivery = Redelivery(causes, self._owner_of, executor.submit, clock)
        self._session: Session | None = None
        self._subscribed = False
        self._numbers = count(1)
        self._stopping = asyncio.Event()
        self._tenure = tenure
        self._duty = Duty()

    @property
    def connected(self) -> bool:
        """Whether the broker is there and delivers to us."""
        return self._session is not None and self._session.is_open

    @property
    def unacknowledged(self) -> int:
        return len(self._intake)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["MqttGateway"]:
        """Starts at once, whether the broker is there or not. On leaving, what was taken is committed and
        acknowledged (for at most 5 s), and the broker is told that we go. Leave it before the executor's `running`."""
        async with AsyncExitStack() as stack:
            works = [self._intake.run(), self._redelivery.run(), self._watch_silence()]
            if self._tenure is not None:
                works.append(self._tenure.run())
            for work in works:
                stack.push_async_callback(_cancel, asyncio.create_task(work))
            connection = asyncio.create_task(self._stay_connected(), name="mqtt connection")
            try:
                yield self
            finally:
                self._stopping.set()
                await connection
                await self._outcomes.close()

    async def publish(self, topic: str, payload: bytes, *, retain: bool = False, timeout: float = 2.0) -> None:
        """QoS 1. Returns when the broker confirmed it; else raises NotPublishedError with nothing left queued."""
        if self._session is None:
            raise NotPublishedError("not connected to the MQTT broker")
        await self._session.publish(topic, payload, retain=retain, timeout=timeout)

    async def publish_to_devices(self, payload: bytes, timeout: float) -> None:
        """On the topic that every device hears. As `publish`."""
        await self.publish(self._topics.prefix, payload, timeout=timeout)
        self._traffic.sent(None)

    async def ask(self, connection_id: UUID, question: Question, timeout: float) -> str:
        return await self._questions.ask(connection_id, question, timeout)

    def traffic(self, connection_ids: Collection[UUID]) -> Sequence[Traffic]:
        return list(self._traffic.of(connection_ids))

    def totals(self) -> Totals:
        return self._traffic.totals()

    def close(self, connection_id: UUID, code: int, reason: str) -> None:
        """On MQTT it is the broker who ends what a newer connection replaces."""

    def expect(self, device_id: UUID) -> None:
        """A device that should be there: if it stays silent from now on, that is noticed."""
        self._silence.expect(device_id)

    async def while_connected(self, work: Callable[[], Awaitable[None]]) -> None:
        """Starts the work whenever this gateway has connected, and cancels it when the connection is gone. For ever."""
        await self._duty.do(work)

    async def _publish_to(self, topic: str, payload: bytes, device_id: UUID, timeout: float) -> None:
        await self.publish(topic, payload, timeout=timeout)
        self._traffic.sent(device_id)

    async def _answer(self, device_id: UUID, payload: bytes) -> None:
        await self._publish_to(self._topics.response(device_id), payload, device_id, _ANSWER_SECONDS)

    async def _stay_connected(self) -> None:
        """For ever, with back-off. A connection that held is followed by a quick attempt."""
        waits = delays()
        while not self._stopping.is_set():
            if self._tenure is not None and not self._may_connect():
                # Whoever connects now in our place is given what we have not acknowledged.
                self._intake.abandon()
                self._subscribed = False
                _log.info("waiting for the lease to connect to the MQTT broker")
                await _first_of(self._tenure.until_held(), self._stopping.wait())
                continue
            began = monotonic()
            try:
                await self._serve_connection()
                problem = "connection lost"
            except ConnectionLostError as lost:
                problem = str(lost)
            except Exception as defect:  # noqa: BLE001  # whatever went wrong with one connection, the next may hold
                problem = f"{type(defect).__name__}: {defect}"
            self._session = None
            if not self._stopping.is_set() and self._may_connect():
                if monotonic() - began > _HELD_SECONDS:  # else two gateways of one client id end each other's all day
                    waits = delays()
                wait = next(waits)
                _log.warning("MQTT broker away", broker=str(self._settings.broker), problem=problem, again_in=wait)
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), wait)

    async def _serve_connection(self) -> None:
        will = Will(self._topics.server_status, b"offline")
        settings = self._settings
        async with connected(settings.broker, settings.client_id, will, self._receive, settings.ack_wait) as session:
            if not (session.resumed and self._subscribed):
                # The broker may still hold the subscription of another version or setting: both would deliver.
                await session.subscribe(self._topics.subscription)
                await session.unsubscribe(self._topics.other_subscription)
                self._subscribed = True
            self._session = session
            _log.info("MQTT connected", broker=str(settings.broker), resumed=session.resumed)
            self._observe_connection(True)
            self._duty.begin()
            try:
                await self._announce(session, b"online")
                await _first_of(session.lost(), self._stopping.wait(), self._taken_over())
                if session.is_open and self._stopping.is_set():
                    session.pause()
                    await self._intake.drained(_SHUTDOWN_SECONDS)
                    session.resume()
                    await self._announce(session, b"offline")
            finally:
                self._duty.end()
                self._observe_connection(False)

    def _may_connect(self) -> bool:
        return self._tenure is None or self._tenure.held

    async def _taken_over(self) -> None:
        """Returns when another process has what lets us be connected."""
        if self._tenure is None:
            await asyncio.Event().wait()
        else:
            await self._tenure.until_taken()

    async def _announce(self, session: Session, word: bytes) -> None:
        try:
            await session.publish(self._topics.server_status, word, retain=True, timeout=_ANNOUNCE_SECONDS)
        except NotPublishedError as error:
            _log.warning("MQTT server status not published", word=word.decode(), problem=str(error))

    # A message, from its arrival to its acknowledgement

    def _receive(self, message: Arrived) -> None:
        understood = understand(self._topics, message.topic, message.payload, message.retain)
        command = command_of(understood)
        digest = digest_of(message) if command is not None else None
        if message.dup and digest is not None and self._intake.joined(message, digest):
            return
        device_id = device_of(understood)
        origin = Origin(
            actor=f"device:{device_id}" if device_id else "device:unknown",
            source="mqtt",
            correlation_id=f"{message.session.id}-{next(self._numbers):x}",
            causation_id=digest,
        )
        if not (message.retain or isinstance(understood, Ignored)):
            self._traffic.received(device_id)
        if device_id is not None:
            self._hear(device_id, understood)
        entry = Entry(message, understood, command, origin)
        answer: Answer | None = None
        if message.dup and isinstance(understood, Readings | Reports | StateMessage):
            answer = self._redelivery.check(entry)
        self._intake.offer(entry, answer)
        if self._observer:
            self._observer.message_received(KINDS.get(type(understood), "ignored"), len(message.payload))
        self._flow.taken(message.session, self._intake)

    def _hear(self, device_id: UUID, understood: Understood) -> None:
        if isinstance(understood, Presence):
            self._silence.speaks_for_itself(device_id)
            self._see(device_id, understood)
        elif not (isinstance(understood, Discovery) and not understood.command.live):
            self._silence.heard(device_id)

        if isinstance(understood, Reply):
            self._questions.answered(device_id, understood.id, understood.payload)

    def _see(self, device_id: UUID, presence: Presence) -> None:
        if presence.command.status == OFFLINE:
            self._traffic.went(device_id)
            self._questions.lost(device_id)
        else:
            self._traffic.came(device_id)

    def _settle(self, entry: Entry, outcome: Outcome) -> None:
        self._outcomes.tell(entry, outcome)
        self._flow.settled(self._intake)
        if self._observer:
            self._observer.unacknowledged(len(self._intake))

    def _trouble(self, error: Exception) -> None:
        self._complaints.about("kept back", "-", 0, f"{type(error).__name__}: {error}")

    # What else it does

    async def _owner_of(self, sensor_id: UUID) -> UUID | None:
        sensor = await self._executor.find(SENSOR, sensor_id)
        return sensor.device_id if sensor else None

    async def _watch_silence(self) -> None:
        while True:
            await asyncio.sleep(_SILENCE_SECONDS)
            if self.connected:  # else it is we who hear nothing
                await self.report_silence()

    async def report_silence(self) -> None:
        """Reports the devices that have fallen silent by now."""
        for device_id in list(self._silence.fallen_silent()):
            origin = Origin(actor="system:silence", source="mqtt", correlation_id=uuid4().hex)
            try:
                await self._executor.execute(ReportSilence(device_id=device_id), origin)
            except Exception as error:  # noqa: BLE001  # it is only late: heard again, it would be reported again
                self._trouble(error)

    def _observe_connection(self, connected: bool) -> None:
        if self._observer:
            self._observer.connection_changed(connected)


async def _first_of(*works: Coroutine[None, None, object]) -> None:
    tasks = [asyncio.create_task(work) for work in works]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await _cancel(*tasks)


async def _cancel(*tasks: asyncio.Task[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
