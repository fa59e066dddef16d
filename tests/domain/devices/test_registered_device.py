"""What persons say of devices. What devices say of themselves is in test_device.py."""

from collections.abc import Sequence
from functools import partial
from uuid import UUID

import pytest

from domain.devices.device import (
    DEVICE,
    ERROR,
    OFFLINE,
    OK,
    WARNING,
    Announcement,
    Correction,
    Device,
    DeviceConnected,
    DeviceDiscovered,
    DeviceExistsError,
    DeviceExternallyIdentified,
    DeviceFitted,
    DeviceInventoryAnnounced,
    DeviceRedescribed,
    DeviceRegistered,
    DeviceRemoved,
    DeviceStatusChanged,
    DeviceStripped,
    DeviceUnknownError,
    Status,
    announce,
    correct,
    fall_silent,
    fit,
    hear,
    register,
    remove,
    report_presence,
    strip,
)
from domain.event import Event
from tests.domain.specification import given

S0, S1, S2 = (UUID(int=n) for n in (1, 2, 3))
A0 = UUID(int=4)

REGISTERED = DeviceRegistered(name="boiler", description="heats", location="cellar", status=WARNING)
DISCOVERED = DeviceDiscovered(name="boiler", description="heats", location="cellar", mac_address="aa:bb:cc:dd:ee:ff")
INVENTORY = DeviceInventoryAnnounced(sensors=(S0, S1), actors=(A0,))
CALLED = DeviceExternallyIdentified(external_id="b-7")


def status(value: Status, reason: str = "set") -> DeviceStatusChanged:
    return DeviceStatusChanged(status=value, reason=reason)  # type: ignore[arg-type]  # shorthand of the tests


def corrected(device: Device | None, told: Correction) -> Sequence[Event]:
    assert device is not None
    return correct(device, told)


def correcting(**told: object) -> partial[Sequence[Event]]:
    return partial(corrected, told=Correction(**told))  # type: ignore[arg-type]  # shorthand of the tests


def registering(external_id: str | None = None) -> partial[Sequence[Event]]:
    return partial(
        register, name="boiler", description="heats", location="cellar", status=WARNING, external_id=external_id
    )


# Register


def test_a_person_registers_a_device_with_the_status_it_has() -> None:
    assert registering()(None) == (REGISTERED,)
    assert registering("b-7")(None) == (REGISTERED, CALLED)
    assert given(DEVICE, REGISTERED, CALLED).state == Device(
        name="boiler",
        description="heats",
        location="cellar",
        status=WARNING,
        status_reason="set",
        external_id="b-7",
    )


@pytest.mark.parametrize("past", [REGISTERED, DISCOVERED])
def test_a_device_is_not_registered_over_another(past: Event) -> None:
    given(DEVICE, past).when(registering()).then_refused(DeviceExistsError, "devices.device_exists")


def test_a_registered_device_that_announces_itself_is_ok() -> None:
    told = Announcement(name="boiler", mac_address="aa:bb:cc:dd:ee:ff", sensors=(S0,))
    given(DEVICE, REGISTERED).when(lambda device: announce(device, told)).then(
        DeviceRedescribed(name="boiler", description="heats", location="cellar", mac_address="aa:bb:cc:dd:ee:ff"),
        DeviceInventoryAnnounced(sensors=(S0,), actors=()),
        status(OK, "announced"),
    )


# Correct


def test_each_field_is_changed_alone() -> None:
    for told, (name, description, location) in (
        ({"name": "n"}, ("n", "heats", "cellar")),
        ({"description": "d"}, ("boiler", "d", "cellar")),
        ({"location": "l"}, ("boiler", "heats", "l")),
    ):
        given(DEVICE, DISCOVERED).when(correcting(**told)).then(
            DeviceRedescribed(name=name, description=description, location=location, mac_address="aa:bb:cc:dd:ee:ff")
        )


def test_a_correction_that_says_nothing_new_records_nothing() -> None:
    given(DEVICE, REGISTERED, CALLED).when(correcting()).then_nothing()
    given(DEVICE, REGISTERED, CALLED).when(
        correcting(name="boiler", description="heats", location="cellar", status=WARNING, external_id="b-7")
    ).then_nothing()


def test_everything_at_once() -> None:
    given(DEVICE, REGISTERED).when(correcting(name="kettle", status=ERROR, external_id="b-7")).then(
        DeviceRedescribed(name="kettle", description="heats", location="cellar"), CALLED, status(ERROR)
    )


def test_an_external_id_is_changed_and_taken_away() -> None:
    called = given(DEVICE, REGISTERED, CALLED)
    called.when(correcting(external_id="b-8")).then(DeviceExternallyIdentified(external_id="b-8"))
    called.when(correcting(external_id="")).then(DeviceExternallyIdentified())
    given(DEVICE, REGISTERED).when(correcting(external_id="")).then_nothing()


# A status that a person set (contract 3.5)


@pytest.mark.parametrize("value", [WARNING, ERROR])
def test_a_warning_that_a_person_set_outlasts_readings_and_silence(value: Status) -> None:
    past = given(DEVICE, DISCOVERED, status(value))
    past.when(hear).then_nothing()
    past.when(fall_silent).then_nothing()


@pytest.mark.parametrize("value", [WARNING, ERROR, OFFLINE])
def test_the_device_itself_overrules_what_a_person_set(value: Status) -> None:
    past = given(DEVICE, DISCOVERED, status(value))
    past.when(lambda device: announce(device, Announcement())).then(status(OK, "announced"))
    past.when(lambda device: report_presence(device, OK, "online", "mqtt")).then(
        DeviceConnected(through="mqtt"), status(OK, "presence")
    )


def test_a_device_that_a_person_set_offline_is_not_brought_back_by_a_reading() -> None:
    given(DEVICE, DISCOVERED, status(OFFLINE)).when(hear).then_nothing()


def test_a_device_that_a_person_set_to_ok_can_fall_silent() -> None:
    given(DEVICE, DISCOVERED, status(ERROR), status(OK)).when(fall_silent).then(status(OFFLINE, "silent"))


# Parts


def test_a_device_is_fitted_with_parts_once() -> None:
    given(DEVICE, REGISTERED).when(lambda device: fit(device, sensors=(S0,))).then(
        DeviceFitted(sensors=(S0,), actors=())
    )
    given(DEVICE, REGISTERED).when(lambda device: fit(device, actors=(A0,))).then(
        DeviceFitted(sensors=(), actors=(A0,))
    )
    given(DEVICE, DISCOVERED, INVENTORY).when(lambda device: fit(device, sensors=(S0,), actors=(A0,))).then_nothing()


def test_no_device_cannot_be_fitted() -> None:
    for past in ((), (REGISTERED, DeviceRemoved())):
        given(DEVICE, *past).when(lambda device: fit(device, sensors=(S0,))).then_refused(
            DeviceUnknownError, "devices.device_unknown"
        )


def test_what_a_device_was_fitted_with_is_not_in_its_inventory() -> None:
    fitted = given(DEVICE, DISCOVERED, INVENTORY, DeviceFitted(sensors=(S2,), actors=()))
    assert fitted.state is not None
    assert (fitted.state.sensors, fitted.state.owned_sensors) == ((S0, S1), (S0, S1, S2))
    fitted.when(lambda device: announce(device, Announcement(sensors=(S0, S1), actors=(A0,)))).then_nothing()


def test_a_device_knows_the_parts_that_were_retired() -> None:
    fewer = given(DEVICE, DISCOVERED, INVENTORY, DeviceInventoryAnnounced(sensors=(), actors=()))
    assert fewer.state is not None
    assert (fewer.state.sensors, fewer.state.owned_sensors, fewer.state.owned_actors) == ((), (S0, S1), (A0,))


def test_a_part_that_was_taken_away_is_forgotten_and_may_be_announced_again() -> None:
    whole = given(DEVICE, DISCOVERED, INVENTORY)
    stripped = DeviceStripped(sensors=(S1,), actors=())
    whole.when(lambda device: strip(device, sensors=(S1, S2))).then(stripped)
    after = whole.and_then(stripped)
    assert after.state is not None
    assert (after.state.sensors, after.state.owned_sensors) == ((S0,), (S0,))
    after.when(lambda device: announce(device, Announcement(sensors=(S0, S1)))).then(INVENTORY)
    given(DEVICE).when(lambda device: strip(device, sensors=(S0,))).then_nothing()


# Remove


@pytest.mark.parametrize("past", [REGISTERED, DISCOVERED])
def test_a_removed_device_is_gone(past: Event) -> None:
    given(DEVICE, past).when(remove).then(DeviceRemoved())
    assert given(DEVICE, past, INVENTORY, DeviceRemoved()).state is None


def test_nothing_is_heard_of_a_removed_device() -> None:
    gone = given(DEVICE, DISCOVERED, status(OFFLINE, "silent"), DeviceRemoved())
    gone.when(remove).then_nothing()
    gone.when(hear).then_nothing()
    gone.when(fall_silent).then_nothing()
    gone.when(lambda device: report_presence(device, OK, "online", "mqtt")).then_nothing()


def test_a_removed_device_that_announces_itself_begins_anew() -> None:
    gone = given(DEVICE, DISCOVERED, INVENTORY, CALLED, status(ERROR), DeviceRemoved())
    told = Announcement(name="new", sensors=(S0,))
    gone.when(lambda device: announce(device, told)).then(
        DeviceDiscovered(name="new", description="", location=""), DeviceInventoryAnnounced(sensors=(S0,), actors=())
    )
