"""One request and its answer, on bare ASGI, for the contracts whose paths are the hottest there are, and where somebody
has to notice that the client hangs up meanwhile."""

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from time import monotonic
from typing import Any, NamedTuple, TypeVar

import msgspec

from entrypoints.operations.pages import Receive, Scope, Send
from projections.positions import Freshness

T = TypeVar("T")

LARGEST_BODY = 1024 * 1024
WATCH_SECONDS = 0.05
JSON = b"application/json"
NO_CONTENT = 204

Header = tuple[bytes, bytes]

BEARER: Header = (b"www-authenticate", b"Bearer")
CLOSE: Header = (b"connection", b"close")


class TooLargeError(Exception):
    """The body is larger than the contract allows."""


class TooSlowError(Exception):
    """The body did not come in the time that there is for it."""


class UnreadableBodyError(Exception):
    """The body is no JSON of the form that it is to have; the text says what is wrong."""


class ClientGoneError(Exception):
    """Nobody is there to be answered any more."""


class Answer(NamedTuple):
    """An empty `type` is not told."""

    body: bytes
    status: int = 200
    headers: Sequence[Header] = ()
    type: bytes = JSON


class Exchange:
    """`named` is what the path names, decoded; `always` are the headers that go with whatever is answered."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.arrived = monotonic()
        self.scope = scope
        self.method: str = scope["method"]
        self.named: Mapping[str, str] = {}
        self.always: Sequence[Header] = ()
        self.has_begun = False
        self._headers: dict[bytes, bytes] = dict(scope["headers"])
        self._receive = receive
        self._send = send

    def header(self, name: bytes) -> str | None:
        """`name` in lower case."""
        value = self._headers.get(name)
        return None if value is None else str(value, "latin-1")

    async def body(self, largest: int = LARGEST_BODY, seconds: float | None = None) -> bytes:
        """All of it, whatever its type is said to be. Raises TooLargeError, ClientGoneError, and TooSlowError when it
        takes longer than so many seconds."""
        try:
            async with asyncio.timeout(seconds):
                return await self._body(largest)
        except TimeoutError:
            raise TooSlowError from None

    async def json_body(self, form: type[T], largest: int = LARGEST_BODY, seconds: float | None = None) -> T:
        """The body as that form. Raises UnreadableBodyError, and what `body` raises."""
        body = await self.body(largest, seconds)
        try:
            return msgspec.json.decode(body, type=form)
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as wrong:
            raise UnreadableBodyError(str(wrong)) from None

    async def _body(self, largest: int) -> bytes:
        parts, size = [], 0
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientGoneError
            part = message.get("body", b"")
            size += len(part)
            if size > largest:
                raise TooLargeError
            parts.append(part)
            if not message.get("more_body"):
                return b"".join(parts)

    async def gone(self) -> None:
        """Returns when the client has hung up. What it still sends is passed over."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def unless_gone(self, work: Coroutine[Any, Any, T]) -> T:
        """What comes of the work, which is cancelled when the client hangs up before. Raises ClientGoneError then.

        The work stays in this task, and nobody watches over what is done in a moment, since a task more for each
        command would cost a tenth of its time."""
        task = asyncio.current_task()
        assert task is not None
        working, has_gone = True, False
        leaving: asyncio.Task[None] | None = None

        def hang_up(left: asyncio.Task[None]) -> None:
            nonlocal has_gone
            if working and not left.cancelled():
                has_gone = True
                task.cancel()

        def watch() -> None:
            nonlocal leaving
            leaving = asyncio.create_task(self.gone())
            leaving.add_done_callback(hang_up)

        watching = asyncio.get_running_loop().call_later(WATCH_SECONDS, watch)
        try:
            return await work
        except asyncio.CancelledError:
            if has_gone and task.uncancel() == 0:
                raise ClientGoneError from None
            raise
        finally:
            working = False
            watching.cancel()
            if leaving is not None:
                leaving.cancel()

    async def answer(self, answer: Answer) -> None:
        await self.begin_answer(answer)
        # For HEAD the server leaves the body away itself.
        await self._send({"type": "http.response.body", "body": answer.body})

    async def begin_answer(self, answer: Answer) -> None:
        """All of it but its body."""
        headers = list(answer.headers)
        if answer.status != NO_CONTENT:  # which has no length (RFC 9110, 8.6)
            headers.append((b"content-length", str(len(answer.body)).encode()))
        if answer.type:
            headers.append((b"content-type", answer.type))
        await self.begin(answer.status, headers)

    async def begin(self, status: int, headers: Sequence[Header]) -> None:
        self.has_begun = True
        await self._send({"type": "http.response.start", "status": status, "headers": [*headers, *self.always]})

    async def write(self, chunk: bytes) -> None:
        """Returns when so much has gone that more may come."""
        await self._send({"type": "http.response.body", "body": chunk, "more_body": True})

    async def end(self) -> None:
        await self._send({"type": "http.response.body", "body": b""})


def allow(methods: str) -> Header:
    return b"allow", methods.encode()


def retry_after(seconds: int) -> Header:
    return b"retry-after", str(seconds).encode()


def position_headers(seen: Freshness) -> list[Header]:
    """At which position was read; says so when that was older than the newest write."""
    headers = [(b"tidemark-position", str(seen.position).encode())]
    if not seen.fresh:
        headers.append((b"tidemark-stale", b"true"))
    return headers
