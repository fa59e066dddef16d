"""Devices connected by WebSocket, in a process of their own: each answers at once what it is asked, and all of them
together send so many messages a second.

The frames come from the code below and not from a client library, which would take more of the two cores than what is
measured: text frames of less than 64 KiB, which the server never masks and which a client may mask with zeros.
"""

import asyncio
import base64
import json
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import cast
from urllib.parse import urlsplit

import uvloop

AT_ONCE = 100  # connections that are being made at the same time
_SLICE = 0.02
_TEXT, _PING, _PONG = 0x1, 0x9, 0xA


@asynccontextmanager
async def connected(url: str, ids: Sequence[str], messages_per_second: int = 0) -> AsyncIterator[Process]:
    """So many devices; yields when all of them are connected."""
    program = [sys.executable, "-m", "benchmarks.connected_devices"]
    process = await asyncio.create_subprocess_exec(*program, stdin=PIPE, stdout=PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    order = {
        "host": urlsplit(url).hostname,
        "port": urlsplit(url).port,
        "ids": list(ids),
        "messages": messages_per_second,
    }
    process.stdin.write(json.dumps(order).encode() + b"\n")
    try:
        if await process.stdout.readline() != b"connected\n":
            raise RuntimeError("the devices did not connect")
        yield process
    finally:
        process.stdin.close()
        await process.wait()


class _Device(asyncio.Protocol):
    def __init__(self, host: str, id: str) -> None:
        self._request = (
            f"GET /connect HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}\r\nSec-WebSocket-Version: 13\r\n"
            f"Device-Id: {id}\r\nDevice-Name: {id}\r\nDevice-Type: benchmark\r\n\r\n"
        ).encode()
        self._pending = b""
        self._transport: asyncio.Transport
        self.upgraded: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        data = self._pending + data
        if not self.upgraded.done():
            head, end, data = data.partition(b"\r\n\r\n")
            if not end:
                self._pending = head
                return
            if not head.startswith(b"HTTP/1.1 101"):
                self.upgraded.set_exception(RuntimeError(head.decode()))
                return
            self.upgraded.set_result(None)
        self._pending = self._take(data)

    def connection_lost(self, _: Exception | None) -> None:
        if not self.upgraded.done():
            self.upgraded.set_exception(ConnectionError("refused"))

    def say(self, text: bytes, kind: int = _TEXT) -> None:
        size = len(text)
        length = bytes((0x80 | size,)) if size < 126 else bytes((0x80 | 126,)) + size.to_bytes(2, "big")
        self._transport.write(bytes((0x80 | kind,)) + length + b"\0\0\0\0" + text)

    def _take(self, data: bytes) -> bytes:
        """Answers what is complete; returns the rest."""
        start = 0
        while len(data) - start >= 2:
            size, body = data[start + 1], start + 2
            if size == 126:
                size, body = int.from_bytes(data[body : body + 2], "big"), body + 2
            if len(data) < body + size:
                break
            self._answer(data[start] & 0xF, data[body : body + size])
            start = body + size
        return data[start:]

    def _answer(self, kind: int, text: bytes) -> None:
        if kind == _PING:
            self.say(text, _PONG)
        elif kind == _TEXT:
            self.say(b'{"id":"%s","payload":"done"}' % json.loads(text)["id"].encode())


async def _main() -> None:
    loop = asyncio.get_running_loop()
    order = json.loads(await loop.run_in_executor(None, sys.stdin.readline))
    host, port = order["host"], order["port"]
    devices: list[_Device] = []
    for first in range(0, len(order["ids"]), AT_ONCE):
        some = [_Device(host, id) for id in order["ids"][first : first + AT_ONCE]]
        await asyncio.gather(*(loop.create_connection(lambda one=one: one, host, port) for one in some))
        await asyncio.gather(*(one.upgraded for one in some))
        devices += some
    sys.stdout.write("connected\n")
    sys.stdout.flush()
    talking = asyncio.create_task(_talk(devices, order["messages"]))
    await loop.run_in_executor(None, sys.stdin.read)  # until the parent closes it
    talking.cancel()


async def _talk(devices: Sequence[_Device], per_second: int) -> None:
    """Evenly over the second, and in turn over the devices."""
    loop = asyncio.get_running_loop()
    began, sent = loop.time(), 0
    while per_second:
        due = int((loop.time() - began) * per_second)
        while sent < due:
            devices[sent % len(devices)].say(b"a word from a device")
            sent += 1
        await asyncio.sleep(_SLICE)


if __name__ == "__main__":
    uvloop.run(_main())
