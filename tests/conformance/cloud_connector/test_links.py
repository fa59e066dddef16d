"""Contract 4.7, and 2.1: devices as they connect themselves, on every mount."""

import pytest
from websockets.exceptions import InvalidStatus

from tests.conformance.cloud_connector.client import Connector
from tests.conformance.cloud_connector.device import SocketDevice, dial
from tests.waiting import eventually


def test_a_device_connects_on_every_mount(mount: Connector, connector: Connector) -> None:
    with SocketDevice(mount.url) as device:
        assert connector.ask("command", device.id, "on").json() == {"response": "R:on", "errors": ""}


def test_cs19_the_newest_connection_of_an_id_counts(connector: Connector) -> None:
    old = connector.device()
    with SocketDevice(connector.url, old.id) as new:
        assert old.ended() == 4409
        assert connector.ask("command", new.id, "on").json()["response"] == "R:on"
        assert len(new.heard) == 1
        assert old.heard == []
        assert connector.ids().count(new.id) == 1
        listed = connector.listed(new.id)
        assert listed is not None
        # The end of the old one has been recorded by now or will be; it takes nothing of the new one with it.
        old.close()
        assert connector.listed(new.id) == {
            **listed,
            "received_messages": 1,
            "sent_messages": 1,
            "last_sent_message": listed["last_sent_message"],
        }
        assert connector.ask("query", new.id, "still?").json()["response"] == "R:still?"


@pytest.mark.parametrize("headers", [{}, {"Device-Id": ""}], ids=["none", "empty"])
def test_cs20_without_an_id_there_is_no_connection(mount: Connector, headers: dict[str, str]) -> None:
    with pytest.raises(InvalidStatus) as refused, dial(mount.url, headers):
        pass
    assert refused.value.response.status_code == 400


@pytest.mark.parametrize("id", ["command", "query", "show", "-x", "a b", "a/b", "x" * 129, "<b>"])
def test_some_ids_cannot_be(connector: Connector, id: str) -> None:
    with pytest.raises(InvalidStatus) as refused, dial(connector.url, {"Device-Id": id}):
        pass
    assert refused.value.response.status_code == 400


def test_cs22_a_device_is_listed_as_it_presents_itself(connector: Connector) -> None:
    headers = {"Device-Name": "Lamp in the hall", "Device-Type": "lamp", "User-Agent": "lampware/1.2"}
    with connector.device(headers=headers) as device:
        listed = connector.listed(device.id)
        assert listed is not None
        assert listed["device_name"] == "Lamp in the hall"
        assert listed["device_type"] == "lamp"
        assert "lampware/1.2" in listed["user_agent"]


def test_cs22_the_old_spelling_of_the_headers(connector: Connector) -> None:
    with dial(connector.url, {"device_id": "old-spelling", "device_type": "lamp"}):
        listed = eventually(lambda: connector.listed("old-spelling"))
        assert listed is not None
        assert listed["device_type"] == "lamp"


def test_cs23_names_are_data_and_never_markup(connector: Connector) -> None:
    headers = {"Device-Name": "<img src=x onerror=alert(1)>", "Device-Type": '"><script>'}
    with connector.device(headers=headers) as device:
        listed = connector.listed(device.id)
        assert listed is not None
        assert not set("<>\"'&") & set(f"{listed['device_name']}{listed['device_type']}")


def test_other_paths_have_no_websocket(mount: Connector) -> None:
    for path in ("/devices", "/status/x", "/connect/x"):
        with pytest.raises(InvalidStatus) as refused, dial(f"{mount.url}{path}", {"Device-Id": "x"}):
            pass
        assert refused.value.response.status_code in (403, 404)


def test_pages_of_foreign_origins_cannot_pose_as_devices(mount: Connector) -> None:
    foreign = {"Device-Id": "page", "Origin": "https://evil.example"}
    with pytest.raises(InvalidStatus) as refused, dial(mount.url, foreign):
        pass
    assert refused.value.response.status_code == 403
    with dial(mount.url, {"Device-Id": "own-page", "Origin": "http://localhost:5173"}):
        eventually(lambda: "own-page" in mount.ids())
