"""A question to a connected device: recorded, sent, answered, recorded, and only then told."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from time import monotonic
from typing import Literal
from uuid import UUID, uuid4

import pytest

from application.devices.ask import Asker
from application.ports import (
    DeviceLostError,
    DeviceSilentError,
    LogUnavailableError,
    NotConnectedError,
    NotPublishedError,
    Question,
    Road,
    Traffic,
)
from domain.devices.command import (
    DeviceCommandAnswered,
    DeviceCommandFailed,
    DeviceCommandIssued,
    DeviceCommandTimedOut,
)
from domain.event import Event
from domain.identifiers import commands_id
from tests.application.logs import running
from tests.facts import NOON, ORIGIN, device_named
from tests.fakes.event_log import FakeEventLog

BOILER = device_named("boiler")
ROAD = Road("websocket", "a1", UUID(int=1))
NOBODY_WAITS = "nobody waits for the answer"
LONG = 60.0


class Line:
    """Fills DeviceLine by what a test gives it to do; remembers what was asked and what was recorded by then."""

    def __init__(self, log: FakeEventLog, answer: Callable[[], Awaitable[str]]) -> None:
        self._log = log
        self._answer = answer
        self.asked: list[tuple[Road, Question]] = []
        self.timeouts: list[float] = []
        self.recorded_before: list[Event] = []
        self.reached = asyncio.Event()

    async def ask(self, road: Road, question: Question, timeout: float) -> str:
        self.asked.append((road, question))
        self.timeouts.append(timeout)
        self.recorded_before = told(self._log)
        self.reached.set()
        return await self._answer()

    async def traffic(self, roads: Collection[Road]) -> Mapping[UUID, Traffic]:
        return {}


def told(log: FakeEventLog) -> list[Event]:
    """The stream of what the boiler is asked."""
    return [recorded.event for recorded in log.recorded if recorded.aggregate_id == commands_id(BOILER)]


def answering(text: str) -> Callable[[], Awaitable[str]]:
    async def answer() -> str:
        return text

    return answer


def failing(error: Exception) -> Callable[[], Awaitable[str]]:
    async def answer() -> str:
        raise error

    return answer


async def never() -> str:
    await asyncio.Event().wait()
    return ""


async def ask(
    asker: Asker, command_id: UUID, kind: Literal["command", "query"] = "command", seconds: float = LONG
) -> str:
    return await asker.ask(ROAD, BOILER, kind, "on", command_id, ORIGIN, monotonic() + seconds)


@pytest.mark.parametrize("kind", ["command", "query"])
async def test_a_question_is_recorded_before_it_is_sent_and_its_answer_before_it_is_told(
    kind: Literal["command", "query"],
) -> None:
    log, id = FakeEventLog(), uuid4()
    line = Line(log, answering("21 °C"))
    async with running(log) as (executor,):
        assert await ask(Asker(executor, line), id, kind) == "21 °C"
        recorded = told(log)
    issued = DeviceCommandIssued(device_id=BOILER, command_id=id, kind=kind, action="", value="on", issued_at=NOON)
    assert line.asked == [(ROAD, Question(id, kind, "on"))]
    assert line.recorded_before == [issued]
    assert recorded == [issued, DeviceCommandAnswered(command_id=id, status="ok", value="21 °C")]
    assert {recorded.envelope.actor for recorded in log.recorded} == {ORIGIN.actor}


async def test_a_device_has_what_is_left_of_the_time_to_answer() -> None:
    log = FakeEventLog()
    line = Line(log, answering(""))
    async with running(log) as (executor,):
        await ask(Asker(executor, line), uuid4(), seconds=8)
    assert 0 < line.timeouts[0] < 8


async def test_a_device_that_is_silent_is_recorded_as_such() -> None:
    log, id = FakeEventLog(), uuid4()
    async with running(log) as (executor,):
        with pytest.raises(DeviceSilentError):
            await ask(Asker(executor, Line(log, failing(DeviceSilentError("8 s")))), id)
    assert told(log)[1:] == [DeviceCommandTimedOut(command_id=id)]


async def test_a_question_whose_time_is_over_when_it_is_recorded_is_not_sent() -> None:
    log, id = FakeEventLog(), uuid4()
    line = Line(log, answering("late"))
    async with running(log) as (executor,):
        with pytest.raises(DeviceSilentError):
            await ask(Asker(executor, line), id, seconds=0)
    assert line.asked == []
    assert told(log)[1:] == [DeviceCommandTimedOut(command_id=id)]


@pytest.mark.parametrize("error", [NotConnectedError, DeviceLostError, NotPublishedError])
async def test_why_there_is_no_answer_is_recorded(error: type[Exception]) -> None:
    log, id = FakeEventLog(), uuid4()
    async with running(log) as (executor,):
        with pytest.raises(error):
            await ask(Asker(executor, Line(log, failing(error("it is gone")))), id)
    assert told(log)[1:] == [DeviceCommandFailed(command_id=id, reason="it is gone")]


async def test_a_defect_of_the_line_leaves_no_question_open() -> None:
    log, id = FakeEventLog(), uuid4()
    async with running(log) as (executor,):
        asker = Asker(executor, Line(log, failing(RuntimeError("a defect"))))
        with pytest.raises(RuntimeError):
            await ask(asker, id)
        assert asker.waiting.total() == 0
    assert told(log)[1:] == [DeviceCommandFailed(command_id=id, reason=NOBODY_WAITS)]


async def test_that_the_caller_went_away_is_recorded() -> None:
    log, id = FakeEventLog(), uuid4()
    line = Line(log, never)
    async with running(log) as (executor,):
        asker = Asker(executor, line)
        asking = asyncio.create_task(ask(asker, id, "query"))
        await line.reached.wait()
        assert asker.waiting == {"query": 1}
        asking.cancel()
        await asyncio.wait({asking})
        await asker.close()
        assert asking.cancelled()
        assert asker.waiting.total() == 0
    assert told(log)[1:] == [DeviceCommandFailed(command_id=id, reason=NOBODY_WAITS)]


async def test_a_caller_who_goes_while_the_question_is_recorded_leaves_none_open() -> None:
    log, id = FakeEventLog(), uuid4()
    line = Line(log, never)
    appending, go_on = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        appending.set()
        await go_on.wait()

    log.before_append = hold
    async with running(log) as (executor,):
        asker = Asker(executor, line)
        asking = asyncio.create_task(ask(asker, id))
        await appending.wait()
        asking.cancel()
        await asyncio.wait({asking})
        go_on.set()
        await asker.close()
    assert line.asked == []
    assert [type(event) for event in told(log)] == [DeviceCommandIssued, DeviceCommandFailed]


async def test_a_caller_who_goes_while_the_answer_is_recorded_takes_nothing_away() -> None:
    log, id = FakeEventLog(), uuid4()
    line = Line(log, answering("on"))
    appending, go_on = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        if line.asked:
            appending.set()
            await go_on.wait()

    log.before_append = hold
    async with running(log) as (executor,):
        asker = Asker(executor, line)
        asking = asyncio.create_task(ask(asker, id))
        await appending.wait()
        asking.cancel()
        await asyncio.wait({asking})
        go_on.set()
        await asker.close()
        assert asking.cancelled()
    assert told(log)[1:] == [DeviceCommandAnswered(command_id=id, status="ok", value="on")]


async def test_what_cannot_be_recorded_is_not_sent() -> None:
    log = FakeEventLog()
    line = Line(log, answering("on"))
    async with running(log) as (executor,):
        asker = Asker(executor, line)
        log.away = True
        with pytest.raises(LogUnavailableError):
            await ask(asker, uuid4())
        await asker.close()
        assert asker.waiting.total() == 0
    assert (line.asked, log.recorded) == ([], [])


@pytest.mark.parametrize("answers", [True, False])
async def test_what_happened_is_told_even_if_the_log_is_away_by_then(answers: bool) -> None:
    log = FakeEventLog()

    async def answer() -> str:
        log.away = True
        if not answers:
            raise DeviceLostError("it is gone")
        return "on"

    async with running(log) as (executor,):
        asking = ask(Asker(executor, Line(log, answer)), uuid4())
        if answers:
            assert await asking == "on"
        else:
            with pytest.raises(DeviceLostError):
                await asking
    assert [type(event) for event in told(log)] == [DeviceCommandIssued]


async def test_many_questions_to_one_device_are_answered_each_by_itself() -> None:
    log = FakeEventLog()
    ids = [uuid4() for _ in range(100)]

    class Echo(Line):
        async def ask(self, road: Road, question: Question, timeout: float) -> str:
            return str(question.id)

    async with running(log, log) as executors:
        askers = [Asker(executor, Echo(log, never)) for executor in executors]
        answers = await asyncio.gather(*(ask(askers[number % 2], id) for number, id in enumerate(ids)))
    assert answers == [str(id) for id in ids]
    answered = {event.command_id: event.value for event in told(log) if isinstance(event, DeviceCommandAnswered)}
    assert answered == {id: str(id) for id in ids}
    assert len(told(log)) == 200
