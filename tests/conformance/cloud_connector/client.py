"""The connector as a program uses it, on one of its mounts."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx

from tests.conformance.cloud_connector.device import Answer, SocketDevice, repeat
from tests.product import Product
from tests.waiting import eventually

METRICS = (
    "server_current_state",
    "connections",
    "uptime",
    "received_messages",
    "received_messages_per_second",
    "sent_messages",
    "sent_messages_per_second",
    "commands_waiting",
    "queries_waiting",
    "go_routines",
    "system_memory",
    "allocated_memory",
    "heap_allocated_memory",
)
MOUNTS = ("9090", "8080", "8080/connector")

SECONDS = 30.0


class Connector:
    """One mount. `url` is without a slash at its end."""

    def __init__(self, url: str, headers: Mapping[str, str] | None = None) -> None:
        self.url = url
        # Requests go out as they are typed: no base URL that httpx would join with.
        self.client = httpx.Client(timeout=SECONDS, headers=dict(headers or {}), trust_env=False)

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.request("GET", path, **options)

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        answer = self.client.request(method, f"{self.url}{path}", **options)
        assert not answer.is_redirect
        return answer

    def ask(self, kind: str, device: str, body: Any = None, **options: Any) -> httpx.Response:
        """`body`: bytes and text as they are, everything else as JSON."""
        content = body if isinstance(body, bytes | str) else json.dumps(body).encode()
        answer = self.request("POST", f"/devices/{kind}/{device}", content=content, **options)
        assert answer.headers["content-type"] == "application/json"
        return answer

    def status(self) -> dict[str, Any]:
        answer = self.get("/cloud-connector/status")
        assert answer.status_code == 200, answer.text
        metrics = answer.json()["metrics"]
        assert isinstance(metrics, dict)
        return metrics

    def show(self, device: str) -> dict[str, Any]:
        answer = self.get(f"/devices/{device}/show")
        assert answer.status_code == 200, answer.text
        metrics = answer.json()["metrics"]
        assert isinstance(metrics, dict)
        return metrics

    def listed(self, device: str) -> dict[str, Any] | None:
        """How the device is listed; it must not be there twice."""
        found = [one for one in self.get("/devices").json()["devices"] if one["device_id"] == device]
        assert len(found) <= 1
        return found[0] if found else None

    def ids(self) -> list[str]:
        answer = self.get("/status")
        assert answer.status_code == 200, answer.text
        devices = answer.json()["devices"]
        assert isinstance(devices, list)
        return devices

    def sees(self, **metrics: int) -> None:
        """Waits until the status has these figures."""

        def look() -> bool:
            status = self.status()
            assert {name: status[name] for name in metrics} == metrics
            return True

        eventually(look)

    def device(
        self, id: str | None = None, answer: Answer = repeat, headers: Mapping[str, str] | None = None
    ) -> SocketDevice:
        """Connected, and found by everybody who asks."""
        connected = SocketDevice(self.url, id, answer, headers)
        eventually(lambda: self.get(f"/devices/{connected.id}/show").status_code == 200)
        return connected


class Events:
    """The live status as it comes in."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self._lines = response.iter_lines()

    def blocks(self) -> Iterator[list[str]]:
        """Of comments and events the lines, without the empty one that ends each."""
        block: list[str] = []
        for line in self._lines:
            if line:
                block.append(line)
            elif block:
                yield block
                block = []

    def events(self) -> Iterator[dict[str, str]]:
        """The data of the events, which must have the one documented form."""
        for block in self.blocks():
            if block[0].startswith(":"):
                continue
            assert len(block) == 2, block
            assert block[0] == "event: system_status"
            assert block[1].startswith("data: ")
            data = json.loads(block[1].removeprefix("data: "))
            assert list(data) == ["metric", "value"]
            assert isinstance(data["value"], str)
            yield data


@contextmanager
def stream(connector: Connector, **options: Any) -> Iterator[Events]:
    with connector.client.stream("GET", f"{connector.url}/cloud-connector/status/stream", **options) as response:
        yield Events(response)


def mounts(product: Product, headers: Mapping[str, str] | None = None) -> dict[str, Connector]:
    urls = (product.urls["connector"], product.api, f"{product.api}/connector")
    return {name: Connector(url, headers) for name, url in zip(MOUNTS, urls, strict=True)}


def is_refused(answer: httpx.Response, status: int, text: str) -> None:
    """As commands and queries are."""
    assert (answer.status_code, answer.json()) == (status, {"response": "", "error": text, "errors": text})
