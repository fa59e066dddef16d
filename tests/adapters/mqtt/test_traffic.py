"""What goes over the devices' connections is counted, in bounded memory."""

from uuid import UUID, uuid4

from adapters.mqtt.traffic import DeviceTraffic
from application.ports import Totals, Traffic


class Clock:
    def __init__(self, at: float = 0.0) -> None:
        self.at = at

    def __call__(self) -> float:
        return self.at


def of(traffic: DeviceTraffic, device: UUID) -> Traffic:
    return next(traffic.of([device]))


def test_messages_of_a_device_are_counted_with_the_second_of_the_last() -> None:
    now, device = Clock(1_700_000_000.9), uuid4()
    traffic = DeviceTraffic(now=now)
    traffic.came(device)
    traffic.received(device)
    now.at += 5
    traffic.received(device)
    now.at += 5
    traffic.sent(device)
    assert of(traffic, device) == Traffic(device, 2, 1, 1_700_000_005, 1_700_000_010)


def test_counters_begin_anew_with_each_coming_and_not_with_one_that_is_said_again() -> None:
    device = uuid4()
    traffic = DeviceTraffic(now=Clock(7))
    traffic.received(device)
    traffic.came(device)
    assert of(traffic, device) == Traffic(device, 0, 0, 0, 0)
    traffic.received(device)
    traffic.came(device)
    assert of(traffic, device).received == 1
    traffic.went(device)
    assert list(traffic.of([device])) == []
    traffic.came(device)
    assert of(traffic, device) == Traffic(device, 0, 0, 0, 0)


def test_totals_outlive_connections_and_count_what_nobody_can_name() -> None:
    clock, device = Clock(100), uuid4()
    traffic = DeviceTraffic(clock)
    traffic.came(device)
    for named in (device, None, device):
        traffic.received(named)
    traffic.sent(None)
    traffic.went(device)
    clock.at += 1.5
    assert traffic.totals() == Totals(received=3, sent=1, received_per_second=1, sent_per_second=0)


def test_memory_is_bounded_and_places_are_used_again() -> None:
    traffic = DeviceTraffic(at_most=10)
    devices = [uuid4() for _ in range(50)]
    for device in devices:
        traffic.received(device)
    assert len(traffic) == 10
    assert of(traffic, devices[0]).received == 1
    assert of(traffic, devices[-1]).received == 1
    for device in devices:
        traffic.went(device)
    for device in devices[20:30]:
        traffic.came(device)
        traffic.sent(device)
    assert [(one.received, one.sent) for one in traffic.of(devices)] == [(0, 1)] * 10
    assert traffic.totals()[:2] == (50, 10)
