"""Every read model gets the events that it asks for, in the order of the log."""

from msgspec.structs import replace

from domain.devices.device import DeviceConnected, DeviceRemoved
from domain.devices.readings import ReadingsRecorded
from projections.batch import Batch
from tests.projections.history import recorded

READ = [recorded(position) for position in (1, 3, 4)]
REMOVED = [replace(recorded(position), event=DeviceRemoved()) for position in (2, 6)]
CONNECTED = replace(recorded(5), event=DeviceConnected(through="mqtt"))
BATCH = Batch(sorted([*READ, *REMOVED, CONNECTED], key=lambda one: one.position))


def test_events_of_one_kind_come_in_their_order() -> None:
    assert BATCH.of(ReadingsRecorded) == READ


def test_events_of_several_kinds_come_in_the_order_of_the_log() -> None:
    found = BATCH.of(DeviceRemoved, ReadingsRecorded)
    assert [one.position for one in found] == [1, 2, 3, 4, 6]


def test_a_kind_is_named_by_its_topic_too() -> None:
    assert BATCH.of("devices.device.removed.v1") == REMOVED


def test_of_a_kind_that_is_not_there_nothing_comes() -> None:
    assert list(BATCH.of("users.user.registered.v1")) == list(BATCH.of()) == []
