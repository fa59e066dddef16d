"""A client of streams as their document describes it, and one that sends what no library would."""

import json
import socket
import time
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit
from uuid import uuid4

import httpx

from tests.product import Product

NDJSON = "application/x-ndjson"
JSON = "application/json"
POLAR = "application/vnd.polar.consumermessage"


def fresh(prefix: str) -> str:
    """A name that nobody else has."""
    return f"{prefix}-{uuid4().hex[:12]}"


class Item(NamedTuple):
    """One item of a poll's answer."""

    topic: str
    range: int
    start: int
    values: list[Any]


class Streams:
    """The three APIs of one product. `consumer`, `producer`, `discovery` are clients of one connection pool each."""

    def __init__(self, product: Product, headers: Mapping[str, str] | None = None) -> None:
        def client(name: str) -> httpx.Client:
            return httpx.Client(
                base_url=product.urls[name], headers=headers, timeout=30, trust_env=False, follow_redirects=False
            )

        self.discovery = client("discovery")
        self.producer = client("producer")
        self.consumer = client("consumer")

    def produce(
        self, topic: str, body: bytes | str, key: str | None = None, type: str | None = JSON, **headers: str
    ) -> httpx.Response:
        return self.producer.post(
            f"/v1/topic/{topic}/messages",
            content=body,
            params={"partitionKey": key} if key is not None else {},
            headers={**({"Content-Type": type} if type else {}), **headers},
        )

    def put(self, topic: str, value: Any, key: str | None = None) -> None:
        """A message that has to be taken."""
        answer = self.produce(topic, json.dumps(value), key)
        assert (answer.status_code, answer.text) == (200, "OK")

    def put_lines(self, topic: str, values: list[Any], key: str | None = None) -> None:
        answer = self.produce(topic, "\n".join(map(json.dumps, values)), key, NDJSON)
        assert (answer.status_code, answer.text) == (200, "OK")

    def register(self, id: str, *topics: str, **query: str) -> httpx.Response:
        return self.consumer.put("/v1/consumer/register", params={"consumerId": id, "topic": list(topics), **query})

    def joined(self, id: str, group: str, *topics: str, latest: bool = False) -> None:
        """A member that has to be taken."""
        policy = "startFromLatest" if latest else "startFromEarliest"
        answer = self.register(id, *topics, group=group, onNewGroup=policy)
        assert (answer.status_code, answer.text) == (200, "OK")

    def poll(self, id: str, accept: str | None = JSON, **query: str) -> httpx.Response:
        request = self.consumer.build_request("POST", "/v1/consumer/poll", params={"consumerId": id, **query})
        if accept is None:
            del request.headers["accept"]
        else:
            request.headers["accept"] = accept
        return self.consumer.send(request)

    def items(self, id: str) -> list[Item]:
        """What one poll brings."""
        answer = self.poll(id)
        if answer.status_code == 204:
            assert answer.content == b""
            return []
        assert answer.status_code == 200, answer.text
        return [
            Item(item["topic"], item["rangeIndex"], int(item["startOffset"]), item["values"]) for item in answer.json()
        ]

    def drain(self, id: str) -> list[Item]:
        """Everything that there is."""
        found: list[Item] = []
        while items := self.items(id):
            found += items
        return found

    def values(self, id: str) -> list[Any]:
        return [value for item in self.drain(id) for value in item.values]

    def commit(self, id: str) -> httpx.Response:
        return self.consumer.post("/v1/consumer/commit", params={"consumerId": id})

    def goodbye(self, id: str, **query: str) -> httpx.Response:
        return self.consumer.post("/v1/consumer/goodbye", params={"consumerId": id, **query})


class Raw(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes


def send_raw(url: str, request: bytes, *, half_close: bool = False) -> Raw | None:
    """The answer to these bytes, None when the connection was closed without one."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as connection:
        connection.sendall(request)
        if half_close:
            connection.shutdown(socket.SHUT_WR)
        received = b""
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            head, found, body = received.partition(b"\r\n\r\n")
            if found:
                lines = head.decode("latin-1").split("\r\n")
                headers = {
                    name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])
                }
                if len(body) >= int(headers.get("content-length", 0)):
                    return Raw(int(lines[0].split()[1]), headers, body)
            if not (more := connection.recv(65_536)):
                return None
            received += more
    raise AssertionError(f"no answer; received {received!r}")
