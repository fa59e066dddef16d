"""Random histories of commands: however they are batched, cached or shared, the log tells the same story."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from application.command import Command
from application.devices.command import AskDevice, ConcludeCommand
from application.devices.device import (
    AnnounceDevice,
    CorrectDevice,
    RegisterDevice,
    RemoveDevice,
    ReportPresence,
    ReportSilence,
)
from application.devices.link import CloseLink, OpenLink
from application.devices.part import KINDS, AddPart, CorrectPart, RemovePart
from application.devices.reading import CorrectReading, RemoveReading
from application.devices.readings import RecordReading, RecordReadings
from application.identity import DisableUser, EnableUser, RegisterUser, RehashPassword
from domain.decider import Decider
from domain.devices.device import DEVICE, Correction
from domain.devices.external_id import EXTERNAL_ID
from domain.devices.part import PartCorrection
from domain.devices.reading import Measurement, RecordedReading
from domain.devices.readings import Reading
from domain.event import Recorded
from domain.identifiers import external_device_id
from tests.application.logs import assert_sound, executor_on, running
from tests.facts import NOON, ORIGIN, described
from tests.fakes.event_log import FakeEventLog

devices = st.sampled_from([UUID(int=n) for n in (1, 2)])
parts = st.sampled_from([UUID(int=n) for n in (1, 11, 12, 13)])  # 1 is a device's id, too
names = st.sampled_from(["a", "b"])
described_parts = st.none() | st.lists(st.builds(described, parts, names), max_size=3).map(tuple)
kinds = st.sampled_from(["sensor", "actor"])
external_ids = st.sampled_from([None, "", "x", "y"])
connecting = st.sampled_from(["x", "y", str(UUID(int=1)), str(UUID(int=2)), str(UUID(int=11))])
measured = st.builds(lambda sensor, value: Reading(sensor_id=sensor, value=value), parts, st.floats())
recorded = st.builds(
    lambda id: RecordedReading(id=id, sensor_id=UUID(int=11), measurement=Measurement(value=1, value_at=NOON)),
    st.sampled_from([1024, 1025]),
)

idempotent: st.SearchStrategy[Command] = st.one_of(
    st.builds(
        AnnounceDevice,
        device_id=devices,
        name=st.none() | names,
        sensors=described_parts,
        actors=described_parts,
        live=st.booleans(),
    ),
    st.builds(
        ReportPresence,
        device_id=devices,
        status=st.sampled_from([1, 2, 3, 4]),
        word=names,
        through=st.sampled_from(["mqtt", "websocket"]),
    ),
    st.builds(
        OpenLink,
        device=connecting,
        connection_id=devices,
        holder=names,
        through=st.just("websocket"),
        name=names,
        type=names,
        user_agent=names,
        remote_address=names,
    ),
    st.builds(
        CloseLink,
        device=connecting,
        device_id=st.none() | devices,
        connection_id=devices,
        through=st.just("websocket"),
        reason=names,
    ),
    st.builds(ReportSilence, device_id=devices),
    st.builds(
        CorrectDevice,
        device_id=devices,
        told=st.builds(Correction, name=st.none() | names, external_id=external_ids, status=st.sampled_from([None, 3])),
    ),
    st.builds(
        CorrectPart,
        kind=kinds,
        part_id=parts,
        told=st.builds(PartCorrection, device_id=st.none() | devices, name=st.none() | names),
    ),
    st.builds(RehashPassword, username=names, password_hash=names),
    st.builds(DisableUser, username=names, reason=names),
    st.builds(EnableUser, username=names),
)
commands: st.SearchStrategy[Command] = st.one_of(
    idempotent,
    st.builds(RegisterUser, username=names, password_hash=names),
    st.builds(
        RegisterDevice,
        device_id=devices,
        name=names,
        description=names,
        location=names,
        status=st.sampled_from([1, 2, 3, 4]),
        external_id=external_ids,
    ),
    st.builds(RemoveDevice, device_id=devices),
    st.builds(AddPart, kind=kinds, device_id=devices, described=st.builds(described, parts, names)),
    st.builds(RemovePart, kind=kinds, part_id=parts),
    st.builds(CorrectReading, recorded=recorded, value=st.none() | st.floats()),
    st.builds(RemoveReading, recorded=recorded),
    st.builds(
        AskDevice, device_id=devices, command_id=devices, kind=st.sampled_from(["command", "query"]), payload=names
    ),
    st.builds(
        ConcludeCommand,
        device_id=devices,
        command_id=devices,
        response=st.none() | names,
        reason=st.none() | names,
    ),
    st.builds(RecordReading, reading=measured),
    st.builds(RecordReadings, readings=st.lists(measured, max_size=4).map(tuple), device_id=st.none() | devices),
)
histories = st.lists(commands, max_size=25)


async def in_one_batch(log: FakeEventLog, history: Sequence[Command]) -> list[Any]:
    async with running(log) as (executor,):
        return await asyncio.gather(*(executor.execute(command, ORIGIN) for command in history), return_exceptions=True)


async def one_by_one(log: FakeEventLog, history: Sequence[Command], processes: int, cached: int) -> list[Any]:
    """The commands in turn, handed around among executors."""
    told: list[Any] = []
    async with AsyncExitStack() as stack:
        executors = [
            await stack.enter_async_context(executor_on(log, cached=cached).running()) for _ in range(processes)
        ]
        for index, command in enumerate(history):
            told += await asyncio.gather(executors[index % processes].execute(command, ORIGIN), return_exceptions=True)
    return told


def story(recorded: Sequence[Recorded]) -> list[Any]:
    return [(event.position, event.aggregate_id, event.version, repr(event.event)) for event in recorded]


def outcome(answer: Any) -> Any:
    if isinstance(answer, Exception):
        return type(answer)
    return answer.aggregate_id, answer.version, answer.first, repr(answer.events)


@given(history=histories, processes=st.integers(1, 3), cached=st.sampled_from([0, 1, 1_000]))
def test_batches_caches_and_processes_change_nothing(history: list[Command], processes: int, cached: int) -> None:
    batched, single = FakeEventLog(), FakeEventLog()
    together = asyncio.run(in_one_batch(batched, history))
    apart = asyncio.run(one_by_one(single, history, processes, cached))
    assert_sound(batched.recorded)
    assert story(batched.recorded) == story(single.recorded)
    assert [outcome(answer) for answer in together] == [outcome(answer) for answer in apart]


@given(history=histories, last=idempotent)
def test_doing_it_twice_records_nothing_the_second_time(history: list[Command], last: Command) -> None:
    log = FakeEventLog()
    answers = asyncio.run(in_one_batch(log, [*history, last, last]))
    if isinstance(answers[-2], Exception):
        assert type(answers[-1]) is type(answers[-2])
    else:
        assert answers[-1].events == ()


@given(history=histories)
def test_a_refused_command_leaves_nothing_in_the_log(history: list[Command]) -> None:
    log = FakeEventLog()
    answers = asyncio.run(in_one_batch(log, history))
    accepted = sum(len(answer.events) for answer in answers if not isinstance(answer, Exception))
    assert len(log.recorded) == accepted


@given(history=histories)
def test_a_part_has_a_device_that_knows_it_and_an_external_id_has_one_holder(history: list[Command]) -> None:
    log = FakeEventLog()
    asyncio.run(in_one_batch(log, history))
    known = states(log.recorded, DEVICE)
    for kind, (decider, _) in KINDS.items():
        owned = {
            (part_id, device_id)
            for device_id, device in known.items()
            for part_id in (device.owned_sensors if kind == "sensor" else device.owned_actors)
        }
        assert {(part_id, part.device_id) for part_id, part in states(log.recorded, decider).items()} == owned
    assert {id: held.device_id for id, held in states(log.recorded, EXTERNAL_ID).items()} == {
        external_device_id(device.external_id): id for id, device in known.items() if device.external_id
    }


def states(recorded: Sequence[Recorded], decider: Decider[Any]) -> dict[UUID, Any]:
    """What every aggregate of the kind has become, without those that are gone."""
    folded: dict[UUID, Any] = {}
    for one in recorded:
        if one.event.topic.startswith(f"{decider.name}."):
            folded[one.aggregate_id] = decider.evolve(folded.get(one.aggregate_id), one.event)
    return {id: state for id, state in folded.items() if state is not None}
