"""Contract 4.10 and 1.5: what the unmodified browser UI asks for, from a page of another loopback origin."""

import json
from typing import Any

import httpx
import pytest

from tests.conformance.cloud_connector.client import Connector, stream
from tests.conformance.cloud_connector.device import SocketDevice, silent

PAGE = "http://127.0.0.1:5500"
FOREIGN = "https://evil.example"
# Of the UI every fetch has this, those without a body too.
FETCH = {"Origin": PAGE, "Content-Type": "application/json"}

UI_MOUNTS = ("9090", "8080/connector")


@pytest.fixture(params=UI_MOUNTS)
def api_url(request: Any, all_mounts: dict[str, Connector]) -> Connector:
    """What a user types into the UI; it needs the connector's form of `/devices`."""
    return all_mounts[request.param]


def preflight(connector: Connector, path: str, method: str, origin: str = PAGE) -> httpx.Response:
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": "content-type",
    }
    return connector.request("OPTIONS", path, headers=headers)


def is_allowed(answer: httpx.Response, origin: str = PAGE) -> None:
    assert answer.headers.get("access-control-allow-origin") == origin
    assert "origin" in answer.headers["vary"].lower()


def permits(answer: httpx.Response, origin: str = PAGE) -> None:
    """As a browser looks at it before it sends what it was asked for."""
    assert 200 <= answer.status_code < 300
    assert answer.content == b""
    is_allowed(answer, origin)
    headers = {name.strip().lower() for name in answer.headers["access-control-allow-headers"].split(",")}
    assert {"content-type", "authorization"} <= headers


@pytest.mark.parametrize("path", ["/devices", "/cloud-connector/status", "/status", "/devices/x/show", "/nowhere"])
def test_ui01_reading_is_permitted(api_url: Connector, path: str) -> None:
    permits(preflight(api_url, path, "GET"))


@pytest.mark.parametrize("path", ["/cloud-connector/status", "/status", "/devices/x/show"])
def test_ui01_at_the_root_of_8080_too(mount: Connector, path: str) -> None:
    permits(preflight(mount, path, "GET"))


@pytest.mark.parametrize("path", ["/devices/command/x", "/devices/query/x", "//devices/command/x"])
def test_ui02_asking_devices_is_permitted(mount: Connector, path: str) -> None:
    permits(preflight(mount, path, "POST"))


@pytest.mark.parametrize(
    "origin",
    ["http://localhost:3000", "https://localhost", "http://127.8.9.1:1", "http://[::1]:8000", "http://LOCALHOST"],
)
def test_pages_of_this_machine_are_permitted(connector: Connector, origin: str) -> None:
    permits(preflight(connector, "/devices", "GET", origin), origin)
    is_allowed(connector.get("/devices", headers={"Origin": origin}), origin)


@pytest.mark.parametrize(
    "origin",
    [
        FOREIGN,
        "null",
        "http://localhost.evil.example",
        "http://127.0.0.1.evil.example",
        "http://evil.example:127.0.0.1",
        "http://localhost@evil.example",
        "http://128.0.0.1",
        "ftp://localhost",
        "http://localhost:1/x",
    ],
)
def test_pages_of_others_are_not(connector: Connector, device: SocketDevice, origin: str) -> None:
    answer = preflight(connector, "/devices", "GET", origin)
    assert answer.status_code == 204
    assert not [name for name in answer.headers if name.startswith("access-control")]
    assert "access-control-allow-origin" not in connector.get("/devices", headers={"Origin": origin}).headers
    # A form, or a text, goes without a preflight: it must not reach the device either.
    answer = connector.ask("command", device.id, "on", headers={"Origin": origin, "Content-Type": "text/plain"})
    assert answer.status_code == 403
    assert device.heard == []


def test_ui04_reading_with_a_content_type_and_no_body(api_url: Connector, device: SocketDevice) -> None:
    for path in ("/devices", "/cloud-connector/status", f"/devices/{device.id}/show"):
        answer = api_url.get(path, headers=FETCH)
        assert answer.status_code == 200
        is_allowed(answer)


def test_ui05_errors_can_be_read_by_the_page(mount: Connector) -> None:
    for answer in (
        mount.get("/devices/ghost/show", headers=FETCH),
        mount.ask("command", "ghost", {}, headers=FETCH),
        mount.request("DELETE", "/status", headers=FETCH),
        mount.ask("query", "ghost", b"x" * 1024 * 1025, headers=FETCH),
    ):
        assert answer.status_code in (404, 405, 413)
        is_allowed(answer)


def test_ui05_timeouts_too(connector: Connector) -> None:
    with connector.device(answer=silent) as device:
        answer = connector.ask("command", device.id, {}, headers=FETCH)
    assert answer.status_code == 408
    is_allowed(answer)


def test_ui06_ui08_the_dashboard(api_url: Connector, device: SocketDevice) -> None:
    """Status and devices, then the stream, whose metrics must be among those of the first status."""
    assert preflight(api_url, "/cloud-connector/status", "GET").is_success
    status = api_url.get("/cloud-connector/status", headers=FETCH)
    devices = api_url.get("/devices", headers=FETCH)
    is_allowed(status)
    is_allowed(devices)
    shown = [one for one in devices.json()["devices"] if one["device_id"] == device.id]
    assert [(type(one["device_name"]), type(one["last_received_message"])) for one in shown] == [(str, int)]
    headers = {"Origin": PAGE, "Accept": "text/event-stream", "Cache-Control": "no-cache"}
    with stream(api_url, headers=headers) as events:
        is_allowed(events.response)
        for event in events.events():
            assert event["metric"] in status.json()["metrics"]
            if event["metric"] == "uptime":
                break


def test_ui07_the_page_of_a_device(api_url: Connector, device: SocketDevice) -> None:
    """It polls `show`; its two buttons post the two characters `{}` and print the JSON that comes."""
    for _ in range(3):
        answer = api_url.get(f"/devices/{device.id}/show", headers=FETCH)
        assert answer.json()["metrics"].keys() == answer.json()["units"].keys()
        is_allowed(answer)
    for kind in ("command", "query"):
        permits(preflight(api_url, f"/devices/{kind}/{device.id}", "POST"))
        answer = api_url.ask(kind, device.id, b"{}", headers=FETCH)
        is_allowed(answer)
        assert json.loads(answer.text) == {"response": "R:{}", "errors": ""}


def test_lambda_iot_is_as_it_was(all_mounts: dict[str, Connector]) -> None:
    """Only the connector's own paths answer pages of other origins."""
    for path in ("/devices", "/health", "/sensors"):
        answer = all_mounts["8080"].get(path, headers=FETCH)
        assert "access-control-allow-origin" not in answer.headers
