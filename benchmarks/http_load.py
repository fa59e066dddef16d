"""The HTTP load: many keep-alive connections, each with one request on its way, in a process of its own.

As cheap as Python allows, because it shares two cores with what it measures: requests are made beforehand and
answers are told apart by their Content-Length only. Started by `run`, which talks to it in JSON over its pipes.
"""

import asyncio
import json
import sys
from asyncio.subprocess import PIPE
from collections.abc import Sequence
from time import perf_counter
from typing import NamedTuple, cast
from urllib.parse import urlsplit

import uvloop

CONNECTIONS = 64
WARM_UP_SECONDS = 0.5


class HttpLoad(NamedTuple):
    """What came of it. `answered` counts every request; rate (a second) and latencies (in ms) leave out the warm-up."""

    answered: int
    refused: int
    rate: float
    p50: float
    p99: float


async def run(
    url: str, requests: Sequence[bytes], expected: bytes, seconds: float, connections: int = CONNECTIONS
) -> HttpLoad:
    """Sends the requests in turn for so long; answers that do not begin with `expected` count as refused."""
    program = [sys.executable, "-m", "benchmarks.http_load"]
    process = await asyncio.create_subprocess_exec(*program, stdin=PIPE, stdout=PIPE)
    order = {
        "host": urlsplit(url).hostname,
        "port": urlsplit(url).port,
        "requests": [request.decode() for request in requests],
        "expected": expected.decode(),
        "seconds": seconds,
        "connections": connections,
    }
    answer, _ = await process.communicate(json.dumps(order).encode())
    if process.returncode:
        raise RuntimeError(f"the HTTP load ended with status {process.returncode}")
    return HttpLoad(**json.loads(answer))


def get(path: str, token: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n\r\n".encode()


def post(path: str, token: str, body: bytes) -> bytes:
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class _Load:
    """What all connections share."""

    def __init__(self, requests: list[bytes], expected: bytes) -> None:
        self.requests = requests
        self.expected = expected
        self.sent = 0
        self.open = 0
        self.refused = 0
        self.stopping = False
        self.samples: list[tuple[float, float]] = []
        self.all_closed = asyncio.Event()

    def next_request(self) -> bytes:
        self.sent += 1
        return self.requests[self.sent % len(self.requests)]


class _Connection(asyncio.Protocol):
    def __init__(self, load: _Load) -> None:
        self._load = load
        self._pending = b""
        self._sent_at = 0.0
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by name
        self._load.open += 1
        self._send()

    def data_received(self, data: bytes) -> None:
        data = self._pending + data
        end = data.find(b"\r\n\r\n")
        if end < 0 or len(data) < end + 4 + content_length(data[:end]):
            self._pending = data
            return
        self._pending = b""
        now = perf_counter()
        load = self._load
        load.samples.append((now, now - self._sent_at))
        if not data.startswith(load.expected):
            load.refused += 1
        if load.stopping:
            self._transport.close()
        else:
            self._send()

    def connection_lost(self, _: Exception | None) -> None:
        self._load.open -= 1
        if not self._load.open:
            self._load.all_closed.set()

    def _send(self) -> None:
        self._sent_at = perf_counter()
        self._transport.write(self._load.next_request())


def content_length(head: bytes) -> int:
    lower = head.lower()
    start = lower.index(b"content-length:") + 15
    end = lower.find(b"\r\n", start)
    return int(lower[start : end if end >= 0 else None])


async def _main() -> None:
    order = json.loads(sys.stdin.read())
    load = _Load([request.encode() for request in order["requests"]], order["expected"].encode())
    loop = asyncio.get_running_loop()
    host, port = order["host"], order["port"]
    await asyncio.gather(
        *(loop.create_connection(lambda: _Connection(load), host, port) for _ in range(order["connections"]))
    )
    begin = perf_counter() + WARM_UP_SECONDS
    await asyncio.sleep(WARM_UP_SECONDS + order["seconds"])
    end = perf_counter()
    load.stopping = True
    await asyncio.wait_for(load.all_closed.wait(), 30)
    latencies = sorted(latency for at, latency in load.samples if begin <= at <= end)
    answer = HttpLoad(
        answered=len(load.samples),
        refused=load.refused,
        rate=len(latencies) / (end - begin),
        p50=latencies[len(latencies) // 2] * 1e3,
        p99=latencies[len(latencies) * 99 // 100] * 1e3,
    )
    sys.stdout.write(json.dumps(answer._asdict()))


if __name__ == "__main__":
    uvloop.run(_main())
