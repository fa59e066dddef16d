from uuid import UUID

import pytest
from msgspec.structs import replace

from domain.devices.device import (
    DEVICE,
    ERROR,
    OFFLINE,
    OK,
    WARNING,
    Announcement,
    Device,
    DeviceConnected,
    DeviceDisconnected,
    DeviceDiscovered,
    DeviceInventoryAnnounced,
    DeviceRedescribed,
    DeviceStatusChanged,
    announce,
    connect,
    fall_silent,
    hear,
    report_presence,
)
from tests.domain.specification import given

S0 = UUID("2e4abd8d-5d31-56b9-9bd9-84d9d7d57947")
S1 = UUID("5a816dc3-6599-5db6-9ae6-7e5b2e523e1a")
A0 = UUID("6cc20cc6-7740-5548-8444-6a33cf4271fd")
MAC = "aa:bb:cc:dd:ee:ff"

TOLD = Announcement(
    name="boiler", description="heats", location="cellar", mac_address=MAC, sensors=(S0, S1), actors=(A0,)
)
DISCOVERED = DeviceDiscovered(name="boiler", description="heats", location="cellar", mac_address=MAC)
INVENTORY = DeviceInventoryAnnounced(sensors=(S0, S1), actors=(A0,))
CONNECTED = DeviceConnected(through="mqtt")
SILENT = DeviceStatusChanged(status=OFFLINE, reason="silent")
HEARD = DeviceStatusChanged(status=OK, reason="heard")


def status(value: int, reason: str = "presence") -> DeviceStatusChanged:
    return DeviceStatusChanged(status=value, reason=reason)  # type: ignore[arg-type]  # shorthand of the tests


# Announce


def test_an_unknown_device_is_discovered_with_its_parts_and_status_1() -> None:
    given(DEVICE).when(lambda device: announce(device, TOLD)).then(DISCOVERED, INVENTORY)
    assert given(DEVICE, DISCOVERED, INVENTORY).state == Device(
        name="boiler",
        description="heats",
        location="cellar",
        mac_address=MAC,
        status=OK,
        sensors=(S0, S1),
        actors=(A0,),
        owned_sensors=(S0, S1),
        owned_actors=(A0,),
    )


def test_texts_absent_at_the_first_announcement_are_empty() -> None:
    given(DEVICE).when(lambda device: announce(device, Announcement(name="x"))).then(
        DeviceDiscovered(name="x", description="", location="")
    )


def test_the_same_announcement_again_records_nothing() -> None:
    given(DEVICE, DISCOVERED, INVENTORY).when(lambda device: announce(device, TOLD)).then_nothing()


def test_changed_texts_are_recorded_and_absent_ones_stay() -> None:
    given(DEVICE, DISCOVERED, INVENTORY).when(
        lambda device: announce(device, Announcement(name="kettle", location="kitchen"))
    ).then(DeviceRedescribed(name="kettle", description="heats", location="kitchen", mac_address=MAC))


def test_an_emptied_text_is_a_change() -> None:
    given(DEVICE, DISCOVERED).when(lambda device: announce(device, Announcement(description=""))).then(
        DeviceRedescribed(name="boiler", description="", location="cellar", mac_address=MAC)
    )


def test_an_absent_list_leaves_the_parts_alone() -> None:
    given(DEVICE, DISCOVERED, INVENTORY).when(
        lambda device: announce(device, replace(TOLD, sensors=None, actors=None))
    ).then_nothing()


def test_an_empty_list_says_that_there_are_no_parts() -> None:
    given(DEVICE, DISCOVERED, INVENTORY).when(lambda device: announce(device, replace(TOLD, sensors=()))).then(
        DeviceInventoryAnnounced(sensors=(), actors=(A0,))
    )


def test_a_live_announcement_sets_status_1_whatever_it_was() -> None:
    for past in (status(WARNING), status(ERROR), status(OFFLINE), SILENT):
        given(DEVICE, DISCOVERED, INVENTORY, past).when(lambda device: announce(device, TOLD)).then(
            status(OK, "announced")
        )


def test_a_kept_announcement_tells_nothing_about_now() -> None:
    kept = replace(TOLD, name="kettle", live=False)
    given(DEVICE, DISCOVERED, INVENTORY, status(OFFLINE)).when(lambda device: announce(device, kept)).then(
        DeviceRedescribed(name="kettle", description="heats", location="cellar", mac_address=MAC)
    )


def test_a_mac_address_in_another_spelling_is_the_same() -> None:
    spelled = replace(TOLD, mac_address="AA-BB-CC-DD-EE-FF")
    given(DEVICE, DISCOVERED, INVENTORY).when(lambda device: announce(device, spelled)).then_nothing()


def test_an_announcement_without_mac_address_keeps_the_known_one() -> None:
    given(DEVICE, DISCOVERED, INVENTORY).when(
        lambda device: announce(device, replace(TOLD, mac_address=None))
    ).then_nothing()


# Presence


def test_a_device_that_says_online_is_connected() -> None:
    given(DEVICE, DISCOVERED).when(lambda device: report_presence(device, OK, "online", "mqtt")).then(CONNECTED)


def test_a_device_that_comes_back_online_has_status_1() -> None:
    given(DEVICE, DISCOVERED, status(OFFLINE)).when(lambda device: report_presence(device, OK, "online", "mqtt")).then(
        CONNECTED, status(OK)
    )


def test_a_will_takes_the_device_offline() -> None:
    given(DEVICE, DISCOVERED, CONNECTED).when(lambda device: report_presence(device, OFFLINE, "lost", "mqtt")).then(
        DeviceDisconnected(through="mqtt", reason="lost"), status(OFFLINE)
    )


def test_a_device_that_never_connected_can_still_go_offline() -> None:
    given(DEVICE, DISCOVERED).when(lambda device: report_presence(device, OFFLINE, "offline", "mqtt")).then(
        status(OFFLINE)
    )


def test_an_alert_is_a_warning_of_a_connected_device() -> None:
    given(DEVICE, DISCOVERED, CONNECTED).when(lambda device: report_presence(device, WARNING, "alert", "mqtt")).then(
        status(WARNING)
    )


BY_LINK = DeviceConnected(through="websocket")


def test_a_device_may_be_there_by_two_roads_at_once() -> None:
    given(DEVICE, DISCOVERED, CONNECTED).when(lambda device: connect(device, "websocket")).then(BY_LINK)
    both = given(DEVICE, DISCOVERED, CONNECTED, BY_LINK).state
    assert both is not None
    assert both.roads == ("mqtt", "websocket")
    assert both.connected


@pytest.mark.parametrize(("gone", "left"), [("mqtt", "websocket"), ("websocket", "mqtt")])
def test_gone_by_one_road_a_device_that_has_another_is_still_there(gone: str, left: str) -> None:
    past = given(DEVICE, DISCOVERED, CONNECTED, BY_LINK)
    disconnected = DeviceDisconnected(through=gone, reason="gone")
    past.when(lambda device: report_presence(device, OFFLINE, "gone", gone)).then(disconnected)
    past.and_then(disconnected).when(lambda device: report_presence(device, OFFLINE, "gone", left)).then(
        DeviceDisconnected(through=left, reason="gone"), status(OFFLINE)
    )


def test_what_was_never_there_by_a_road_is_not_gone_by_it() -> None:
    past = given(DEVICE, DISCOVERED, BY_LINK)
    past.when(lambda device: report_presence(device, OFFLINE, "offline", "mqtt")).then_nothing()


@pytest.mark.parametrize("unwell", [WARNING, ERROR])
def test_that_a_device_connects_itself_says_nothing_of_how_it_fares(unwell: int) -> None:
    past = given(DEVICE, DISCOVERED, status(unwell, "set"))
    past.when(lambda device: connect(device, "websocket")).then(BY_LINK)


@pytest.mark.parametrize("reason", ["presence", "silent", "set"])
def test_a_device_that_connects_itself_is_no_longer_offline(reason: str) -> None:
    past = given(DEVICE, DISCOVERED, status(OFFLINE, reason))
    past.when(lambda device: connect(device, "websocket")).then(BY_LINK, status(OK))


def test_a_device_that_is_connected_by_a_link_does_not_fall_silent() -> None:
    given(DEVICE, DISCOVERED, BY_LINK).when(fall_silent).then_nothing()


def test_an_unknown_device_that_connects_itself_stays_unknown() -> None:
    given(DEVICE).when(lambda device: connect(device, "websocket")).then_nothing()


def test_presence_of_an_unknown_device_records_nothing() -> None:
    given(DEVICE).when(lambda device: report_presence(device, OK, "online", "mqtt")).then_nothing()


# Silence and signs of life


def test_a_device_without_presence_messages_falls_silent() -> None:
    given(DEVICE, DISCOVERED).when(fall_silent).then(SILENT)


def test_a_connected_device_does_not_fall_silent() -> None:
    given(DEVICE, DISCOVERED, CONNECTED).when(fall_silent).then_nothing()


def test_a_disconnected_device_is_already_offline() -> None:
    given(DEVICE, DISCOVERED, CONNECTED, DeviceDisconnected(through="mqtt", reason="lost"), status(OFFLINE)).when(
        fall_silent
    ).then_nothing()


def test_an_unknown_device_does_not_fall_silent() -> None:
    given(DEVICE).when(fall_silent).then_nothing()


def test_a_sign_of_life_brings_back_a_silent_device() -> None:
    given(DEVICE, DISCOVERED, SILENT).when(hear).then(HEARD)


def test_a_sign_of_life_changes_no_other_status() -> None:
    for past in (status(WARNING), status(ERROR), status(OFFLINE), HEARD):
        given(DEVICE, DISCOVERED, past).when(hear).then_nothing()


def test_nobody_is_heard() -> None:
    given(DEVICE).when(hear).then_nothing()
