"""Every message in order, acknowledged once its command is answered, and never before."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, cast
from uuid import UUID, uuid4

import pytest

from adapters.mqtt.intake import Answer, Entry, Intake, Outcome
from adapters.mqtt.messages import Ignored
from adapters.mqtt.session import Arrived, Session
from application.command import Command, Receipt
from application.devices.device import ReportSilence
from application.executor import Overloaded
from application.ports import LogUnavailableError
from domain.devices.device import DeviceDisconnected
from domain.errors import InvalidError
from domain.event import Origin
from tests.adapters.mqtt.running import until

RECORDED = Receipt(None, 1, 1, 1, (DeviceDisconnected(through="mqtt", reason="x"),))
NOTHING = Receipt(None, 0, 1)


class Wire:
    """Stands in for a session: writes down what is acknowledged."""

    def __init__(self) -> None:
        self.acknowledged: list[int] = []
        self.digests: dict[int, int] = {}

    def acknowledge(self, messages: list[tuple[int, int]]) -> None:
        self.acknowledged += [mid for mid, _ in messages]
        self.digests.update(messages)

    def has_acknowledged(self, mid: int, digest: int) -> bool:
        return self.digests.get(mid) == digest


class Executor:
    """Answers as the test says; by default everything is recorded at once."""

    def __init__(self) -> None:
        self.asked: list[UUID] = []
        self.answers: Callable[[UUID], Receipt | Exception | None] = lambda id: RECORDED
        self.open: list[asyncio.Future[Receipt]] = []

    def submit(self, command: Command, origin: Origin) -> asyncio.Future[Receipt]:
        id = cast("ReportSilence", command).device_id
        self.asked.append(id)
        answer: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
        told = self.answers(id)
        if isinstance(told, Overloaded):
            raise told
        if isinstance(told, Exception):
            answer.set_exception(told)
        elif told is None:
            self.open.append(answer)
        else:
            answer.set_result(told)
        return answer


class Desk:
    def __init__(self) -> None:
        self.wire, self.executor = Wire(), Executor()
        self.outcomes: dict[int, Outcome] = {}
        self.troubles: list[Exception] = []
        self.intake = Intake(self.executor.submit, self._settled, self.troubles.append)

    def offer(
        self, mid: int, digest: str = "", command: bool = True, id: UUID | None = None, answer: Answer | None = None
    ) -> UUID:
        message = self.message(mid)
        id = id or uuid4()
        origin = Origin(actor="device:x", source="mqtt", correlation_id="c", causation_id=digest or f"a{mid}")
        entry = Entry(message, Ignored(""), ReportSilence(device_id=id) if command else None, origin)
        self.intake.offer(entry, answer)
        return id

    def message(self, mid: int, wire: Any = None) -> Arrived:
        return Arrived(cast("Session", wire or self.wire), "t", b"x", mid, 1, False, False)

    def _settled(self, entry: Entry, outcome: Outcome) -> None:
        self.outcomes[entry.message.mid] = outcome


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    desk = Desk()
    task = asyncio.create_task(desk.intake.run())
    yield desk
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()


async def test_a_message_is_acknowledged_only_after_its_command_is_answered(desk: Desk) -> None:
    desk.executor.answers = lambda id: None
    desk.offer(1)
    await asyncio.sleep(0.05)
    assert desk.wire.acknowledged == []
    desk.executor.open[0].set_result(RECORDED)
    await until(lambda: desk.wire.acknowledged == [1])


async def test_messages_are_acknowledged_in_the_order_of_their_arrival(desk: Desk) -> None:
    desk.executor.answers = lambda id: None
    desk.offer(1)
    desk.offer(2)
    desk.offer(3, command=False)
    desk.executor.open[1].set_result(RECORDED)
    await asyncio.sleep(0.05)
    assert desk.wire.acknowledged == []
    desk.executor.open[0].set_result(RECORDED)
    await until(lambda: desk.wire.acknowledged == [1, 2, 3])
    assert desk.outcomes[3] == "dropped"
    assert desk.intake.size == 0


async def test_a_refused_message_is_acknowledged_too(desk: Desk) -> None:
    desk.executor.answers = lambda id: InvalidError("no")
    desk.offer(1)
    await until(lambda: desk.wire.acknowledged == [1])
    assert isinstance(desk.outcomes[1], InvalidError)


async def test_while_the_log_is_away_nothing_is_acknowledged_and_then_all_comes_in_order(desk: Desk) -> None:
    desk.executor.answers = lambda id: LogUnavailableError("away")
    ids = [desk.offer(mid) for mid in range(1, 6)]
    await until(lambda: len(desk.executor.asked) > 6)
    ids += [desk.offer(mid) for mid in range(6, 9)]
    assert desk.wire.acknowledged == []
    recorded: list[UUID] = []

    def record(id: UUID) -> Receipt:
        recorded.append(id)
        return RECORDED

    desk.executor.answers = record
    await until(lambda: len(desk.wire.acknowledged) == 8)
    assert desk.wire.acknowledged == list(range(1, 9))
    assert recorded == ids


async def test_what_was_refused_behind_a_failure_is_decided_again(desk: Desk) -> None:
    """A discovery failed, and its readings came when the log was just back: unknown sensors."""
    told: list[Receipt | Exception] = [LogUnavailableError("away"), InvalidError("unknown"), NOTHING]
    desk.executor.answers = lambda id: told.pop(0) if told else RECORDED
    for mid in (1, 2, 3):
        desk.offer(mid)
    await until(lambda: desk.wire.acknowledged == [1, 2, 3])
    assert all(outcome == RECORDED for outcome in desk.outcomes.values())


async def test_what_was_recorded_behind_a_failure_is_not_given_again(desk: Desk) -> None:
    told: list[Receipt | Exception] = [LogUnavailableError("away"), RECORDED]
    desk.executor.answers = lambda id: told.pop(0) if told else RECORDED
    first, second = desk.offer(1), desk.offer(2)
    await until(lambda: desk.wire.acknowledged == [1, 2])
    assert desk.executor.asked == [first, second, first]


async def test_what_is_being_checked_for_repetition_while_the_log_fails_is_waited_for_and_not_given_too(
    desk: Desk,
) -> None:
    loop = asyncio.get_running_loop()
    told: list[Receipt | Exception] = [LogUnavailableError("away")]
    desk.executor.answers = lambda id: told.pop(0) if told else RECORDED
    earlier, later = loop.create_future(), loop.create_future()
    first = desk.offer(1)
    desk.offer(2, answer=earlier)
    await until(lambda: desk.intake._recovering)
    desk.offer(3, answer=later)
    earlier.set_result(RECORDED)
    await asyncio.sleep(0.05)
    assert desk.wire.acknowledged == []
    later.set_result(None)
    await until(lambda: desk.wire.acknowledged == [1, 2, 3])
    assert desk.outcomes[3] == "duplicate"
    assert desk.executor.asked == [first, first]


async def test_what_comes_to_be_checked_while_the_log_is_tried_is_not_given_too(desk: Desk) -> None:
    checked = asyncio.get_running_loop().create_future()
    desk.executor.answers = lambda id: ValueError("defect")
    first = desk.offer(1)
    await until(lambda: len(desk.executor.asked) > 1)
    second = desk.offer(2, answer=checked)
    tried = len(desk.executor.asked)
    await until(lambda: len(desk.executor.asked) > tried + 1)
    assert second not in desk.executor.asked
    checked.set_result(RECORDED)
    desk.executor.answers = lambda id: RECORDED
    await until(lambda: desk.wire.acknowledged == [1, 2])
    assert set(desk.executor.asked) == {first}


async def test_too_many_waiting_commands_only_delay(desk: Desk) -> None:
    told = [Overloaded("full"), Overloaded("full")]
    desk.executor.answers = lambda id: told.pop(0) if told else RECORDED
    for mid in (1, 2, 3):
        desk.offer(mid)
    await until(lambda: desk.wire.acknowledged == [1, 2, 3])


async def test_a_message_that_always_fails_is_given_up_once_another_is_recorded(desk: Desk) -> None:
    poison = uuid4()
    desk.executor.answers = lambda id: ValueError("defect") if id == poison else RECORDED
    desk.offer(1, id=poison)
    await until(lambda: desk.executor.asked.count(poison) > 2)
    assert desk.wire.acknowledged == []  # alone, it may be the log's fault
    desk.offer(2)
    await until(lambda: desk.wire.acknowledged == [1, 2])
    assert isinstance(desk.outcomes[1], ValueError)
    assert desk.outcomes[2] == RECORDED


async def test_a_message_delivered_again_while_it_waits_is_acknowledged_with_the_first(desk: Desk) -> None:
    desk.executor.answers = lambda id: None
    desk.offer(1, digest="d")
    again = Wire()
    assert desk.intake.joined(desk.message(1), "d")  # on the same connection
    assert desk.intake.joined(desk.message(7, again), "d")  # on the next
    assert not desk.intake.joined(desk.message(8, again), "d")  # another message with the same words
    desk.executor.open[0].set_result(RECORDED)
    await until(lambda: desk.wire.acknowledged == [1] and again.acknowledged == [7])


async def test_a_repetition_that_crossed_its_acknowledgement_is_only_acknowledged_again(desk: Desk) -> None:
    desk.offer(1, digest="d")
    await until(lambda: desk.wire.acknowledged == [1])
    assert desk.intake.joined(desk.message(1), "d")
    assert desk.wire.acknowledged == [1, 1]
    assert not desk.intake.joined(desk.message(1), "e")  # another message under the same id
    assert not desk.intake.joined(desk.message(1, Wire()), "d")  # the id means nothing on another connection
