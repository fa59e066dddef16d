"""Contract 4.7: status, lists and devices."""

import re
import time
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import httpx
import pytest

from tests.conformance.cloud_connector.client import METRICS, Connector
from tests.conformance.cloud_connector.device import SocketDevice
from tests.product import Product

MEMORIES = {"system_memory", "allocated_memory", "heap_allocated_memory"}
TRAFFIC = (
    "uptime",
    "received_messages",
    "received_messages_per_second",
    "sent_messages",
    "sent_messages_per_second",
)
DEVICE_KEYS = {
    "connection_id",
    "device_id",
    "device_name",
    "device_type",
    "user_agent",
    "remote_address",
    "created_at",
    "last_received_message",
    "last_sent_message",
    "received_messages",
    "sent_messages",
}


def test_cs01_the_status_has_the_thirteen_metrics_in_the_documents_order(mount: Connector) -> None:
    answer = mount.get("/cloud-connector/status")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert list(answer.json()) == ["metrics", "units"]
    assert tuple(answer.json()["metrics"]) == METRICS
    assert tuple(answer.json()["units"]) == METRICS


def test_cs02_all_but_the_state_are_integers(mount: Connector) -> None:
    answer = mount.get("/cloud-connector/status")
    metrics = answer.json()["metrics"]
    assert isinstance(metrics.pop("server_current_state"), str)
    assert {type(value) for value in metrics.values()} == {int}
    assert re.search(r"\d\.\d", answer.text) is None


def test_cs03_units(mount: Connector) -> None:
    units = mount.get("/cloud-connector/status").json()["units"]
    assert units == {**dict.fromkeys(METRICS, ""), "uptime": "secs", **dict.fromkeys(MEMORIES, "Mb")}


def test_cs04_a_running_server_has_started(mount: Connector) -> None:
    assert mount.status()["server_current_state"] == "started"


def test_memory_and_tasks_are_measured(connector: Connector) -> None:
    status = connector.status()
    assert 10 < status["allocated_memory"] <= status["system_memory"] < 4096
    assert status["heap_allocated_memory"] > 10
    assert status["go_routines"] > 1


def test_the_uptime_is_that_of_the_process(connector: Connector) -> None:
    before, asked = connector.status()["uptime"], time.monotonic()
    while (now := connector.status()["uptime"]) == before and time.monotonic() < asked + 10:
        pass
    assert before < now <= before + time.monotonic() - asked + 2


def test_cs10_the_list_of_the_connector_has_eleven_keys(connector: Connector, device: SocketDevice) -> None:
    assert connector.ask("command", device.id, "on").status_code == 200
    listed = connector.listed(device.id)
    assert listed is not None
    assert set(listed) == DEVICE_KEYS
    assert UUID(listed["connection_id"]).version == 4
    assert re.fullmatch(r"127\.0\.0\.1:\d+", listed["remote_address"])
    assert 0 <= time.time() - listed["created_at"] < 120
    assert 0 <= time.time() - listed["last_received_message"] < 120
    assert 0 <= time.time() - listed["last_sent_message"] < 120
    assert (listed["received_messages"], listed["sent_messages"]) == (1, 1)


def test_a_device_that_said_nothing_has_no_last_message(connector: Connector, device: SocketDevice) -> None:
    listed = connector.listed(device.id)
    assert listed is not None
    assert (listed["last_received_message"], listed["last_sent_message"]) == (0, 0)


def test_cs10_under_the_prefix_too(all_mounts: dict[str, Connector], device: SocketDevice) -> None:
    listed = all_mounts["8080/connector"].listed(device.id)
    assert listed is not None
    assert set(listed) == DEVICE_KEYS


def test_cs11_on_8080_the_devices_are_those_of_lambda_iot(all_mounts: dict[str, Connector]) -> None:
    answer = all_mounts["8080"].get("/devices")
    assert answer.status_code == 200
    assert isinstance(answer.json(), list)


def test_cs12_show(mount: Connector, device: SocketDevice) -> None:
    device.say("hello")
    assert mount.ask("query", device.id, "x").status_code == 200
    answer = mount.get(f"/devices/{device.id}/show")
    assert answer.status_code == 200
    assert list(answer.json()) == ["metrics", "units"]
    assert tuple(answer.json()["metrics"]) == TRAFFIC
    assert list(answer.json()["units"].items()) == [("uptime", "secs"), *((name, "") for name in TRAFFIC[1:])]
    metrics = answer.json()["metrics"]
    assert (metrics["received_messages"], metrics["sent_messages"]) == (2, 1)
    assert metrics["received_messages_per_second"] == 2 // max(metrics["uptime"], 1)


def test_cs13_show_of_a_device_that_is_not_connected(mount: Connector) -> None:
    answer = mount.get("/devices/ghost/show")
    assert (answer.status_code, answer.json()) == (404, {"error": "Device not found"})


def test_cs14_a_device_can_be_shown_at_once(connector: Connector) -> None:
    connected = SocketDevice(connector.url)
    with connected:
        answer = connector.get(f"/devices/{connected.id}/show")
        assert answer.status_code == 200
        assert answer.json()["metrics"]["uptime"] <= 5


def test_cs16_show_of_a_device_that_would_be_called_command(mount: Connector) -> None:
    for reserved in ("command", "query"):
        answer = mount.get(f"/devices/{reserved}/show")
        assert (answer.status_code, answer.json()) == (404, {"error": "Device not found"})
        asked = mount.ask(reserved, "show", "x")
        assert (asked.status_code, asked.json()["error"]) == (404, "Device not found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "/cloud-connector/status", "GET, HEAD, OPTIONS"),
        ("POST", "/cloud-connector/status/stream", "GET, HEAD, OPTIONS"),
        ("PUT", "/status", "GET, HEAD, OPTIONS"),
        ("DELETE", "/devices/x/show", "GET, HEAD, OPTIONS"),
        ("GET", "/devices/command/x", "OPTIONS, POST"),
        ("HEAD", "/devices/query/x", "OPTIONS, POST"),
        ("PATCH", "/devices/command/show", "GET, HEAD, OPTIONS, POST"),
    ],
)
def test_cs17_a_wrong_method_names_the_right_ones(mount: Connector, method: str, path: str, allowed: str) -> None:
    answer = mount.request(method, path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)
    if method != "HEAD":
        assert answer.json() == {"error": "method not allowed"}


@pytest.mark.parametrize("path", ["/cloud-connector/status", "/status", "/devices/ghost/show"])
def test_HEAD_is_as_GET_without_a_body(mount: Connector, path: str) -> None:
    answer, full = mount.request("HEAD", path), mount.get(path)
    assert (answer.status_code, answer.content) == (full.status_code, b"")
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize("path", ["/cloud-connector/status", "/status", "/devices/x/show", "/devices/command/x"])
def test_OPTIONS_tells_the_methods(mount: Connector, path: str) -> None:
    answer = mount.request("OPTIONS", path)
    assert (answer.status_code, answer.content) == (204, b"")
    assert "OPTIONS" in answer.headers["allow"]


@pytest.mark.parametrize("path", ["/nowhere", "/devices/a/b/c", "/devices/x", "/", "/cloud-connector", "/status/x"])
def test_an_unknown_path_is_not_found(connector: Connector, path: str) -> None:
    answer = connector.get(path)
    assert (answer.status_code, answer.json()) == (404, {"error": "resource not found"})


@pytest.mark.parametrize("path", ["", "/", "/nowhere", "/health", "/sensors"])
def test_under_the_prefix_there_is_the_connector_only(all_mounts: dict[str, Connector], path: str) -> None:
    answer = all_mounts["8080/connector"].get(path)
    assert (answer.status_code, answer.json()) == (404, {"error": "resource not found"})


@pytest.mark.parametrize("path", ["/cloud-connector/status/", "//cloud-connector//status", "/status/", "//status//"])
def test_slashes_at_the_end_and_in_pairs_are_served_without_a_redirect(mount: Connector, path: str) -> None:
    assert mount.get(path).status_code == 200


def test_a_device_is_served_with_such_slashes_too(mount: Connector, device: SocketDevice) -> None:
    assert mount.get(f"//devices/{device.id}//show/").status_code == 200
    assert mount.ask("command", f"/{device.id}/", "x").status_code == 200


def test_the_id_in_a_path_may_be_encoded(mount: Connector, connector: Connector) -> None:
    with connector.device() as device:
        named = connector.device(f"plant-1:{device.id}@hall")
        with named:
            encoded = named.id.replace(":", "%3A").replace("@", "%40").replace("d", "%64")
            assert mount.get(f"/devices/{encoded}/show").status_code == 200
            assert mount.ask("command", encoded, "x").json()["response"] == "R:x"


@pytest.mark.parametrize("id", ["%00", "%0A", "%FF%FE", "%F0%9F%9B%B0", "a%20b", "%3Cb%3E", "x" * 4000, "'", "%25"])
def test_whatever_is_asked_for_is_not_found(mount: Connector, id: str) -> None:
    answer = mount.get(f"/devices/{id}/show")
    assert answer.status_code == 404, answer.text
    assert mount.ask("command", id, "x").status_code == 404


def test_connect_without_websocket_is_told_so(mount: Connector) -> None:
    answer = mount.get("/connect")
    assert (answer.status_code, answer.headers["upgrade"]) == (426, "websocket")
    assert list(answer.json()) == ["error"]


def test_ui10_polling_is_never_limited(connector: Connector, device: SocketDevice) -> None:
    """As many polls as ten minutes of a page bring, one each 3 s, at once."""
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: connector.get(f"/devices/{device.id}/show").status_code, range(200)))
    assert set(answers) == {200}


def test_ui11_the_keys_of_show_are_always_the_same(connector: Connector, device: SocketDevice) -> None:
    for message in ("", "x", "{}"):
        assert tuple(connector.show(device.id)) == TRAFFIC
        device.say(message)


def test_requests_are_measured_by_route(product: Product, mount: Connector, device: SocketDevice) -> None:
    """Never by path: ids of devices are no labels."""
    assert mount.ask("command", device.id, "x").status_code == 200
    measured = httpx.get(f"{product.api}/metrics", timeout=30).text
    assert 'route="/devices/command/{device}"' in measured
    assert device.id not in measured
