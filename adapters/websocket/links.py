"""The links that this process holds: who is there, what went over each, and the questions that wait for an answer."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from secrets import token_hex
from time import monotonic, time
from typing import Any
from uuid import UUID

from adapters.websocket import messages
from application.ports import (
    DeviceLostError,
    DeviceSilentError,
    NotConnectedError,
    NotPublishedError,
    Question,
    Totals,
    Traffic,
)
from domain.devices.link import PayloadMode

Send = Callable[[dict[str, Any]], Awaitable[None]]

GOING_AWAY = 1001
RECORDED_AS_CLOSED = 1012
REPLACED = 4409

STOPPING = "server stopping"

MOST_LINKS = 10_000
MOST_QUESTIONS = 256

# A close frame that cannot even be written after so long is not waited for any more.
CLOSE_SECONDS = 2.0
# So long a device may take to say goodbye in turn.
LINGER_SECONDS = 5.0


class TooManyLinksError(Exception):
    """This process takes no further connection now."""


@dataclass(eq=False, slots=True)
class Counts:
    """What went over all links of this process, those that are gone included."""

    received: int = 0
    sent: int = 0


@dataclass(eq=False, slots=True, kw_only=True)
class OpenLink:
    """The connection of one device. Times are Unix seconds, 0 for never; `device_id` is that of the registered device,
    once the link is on the record, and `position` where it is recorded."""

    device: str
    connection_id: UUID
    name: str = ""
    type: str = ""
    user_agent: str = ""
    remote_address: str = ""
    payload_mode: PayloadMode = "raw"
    send: Send
    abort: Callable[[], None]
    opened_at: float = field(default_factory=time)
    device_id: UUID | None = None
    position: int = 0
    received: int = 0
    sent: int = 0
    last_received: int = 0
    last_sent: int = 0
    ending: tuple[int, str] | None = None
    _totals: Counts = field(default_factory=Counts)
    _answers: dict[str, asyncio.Future[str]] = field(default_factory=dict)

    @property
    def is_open(self) -> bool:
        return self.position > 0 and self.ending is None

    @property
    def traffic(self) -> Traffic:
        return Traffic(self.connection_id, self.received, self.sent, self.last_received, self.last_sent)

    async def ask(self, question: Question, timeout: float) -> str:
        """As DeviceLine. Nothing but this link waits while the device takes nothing."""
        if len(self._answers) >= MOST_QUESTIONS:
            raise NotPublishedError("too many questions wait for this device")
        id = str(question.id)
        waiting: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._answers[id] = waiting
        try:
            async with asyncio.timeout(timeout):
                await self._tell(messages.encode(question))
                return await waiting
        except TimeoutError:
            raise DeviceSilentError("the device did not answer in time") from None
        finally:
            del self._answers[id]

    def hear(self, message: str | bytes) -> None:
        """Counts what the device says, and gives an answer to whoever waits for it. Late and unknown answers end
        here."""
        self.received += 1
        self._totals.received += 1
        self.last_received = int(time())
        if self._answers and (answer := messages.answer(message)) is not None:
            waiting = self._answers.get(answer.id)
            if waiting is not None and not waiting.done():
                waiting.set_result(answer.payload)

    def lose(self) -> None:
        """Tells everybody who waits for the device that its connection is gone."""
        for waiting in self._answers.values():
            if not waiting.done():
                waiting.set_exception(DeviceLostError("the device's connection ended before it answered"))

    async def close(self, code: int, reason: str) -> None:
        """Says goodbye; a device that does not even take that is cut off."""
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self.send({"type": "websocket.close", "code": code, "reason": reason})
        except TimeoutError:
            self.abort()
        except (OSError, RuntimeError):
            return  # it is closed already, from either side
        else:
            asyncio.get_running_loop().call_later(LINGER_SECONDS, self.abort)

    async def _tell(self, text: str) -> None:
        try:
            await self.send({"type": "websocket.send", "text": text})
        except (OSError, RuntimeError):
            # How the server says that the connection ended; the loop that reads from it is about to learn the same.
            raise NotConnectedError("the device is just leaving") from None
        self.sent += 1
        self._totals.sent += 1
        self.last_sent = int(time())


class Links:
    """Fills Holder. `holder` is the name under which other processes reach this one. A link is entered before it is on
    the record, so that whoever replaces it in the same moment finds it; it can be found and asked once it is open."""

    def __init__(self, most: int = MOST_LINKS) -> None:
        self.holder = token_hex(8)
        self._most = most
        self._began = monotonic()
        self._counts = Counts()
        self._entered: dict[UUID, OpenLink] = {}
        self._open: dict[str, OpenLink] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._stopping = False
        self._emptied = asyncio.Event()

    def __len__(self) -> int:
        """How many devices are connected here."""
        return sum(1 for link in self._entered.values() if link.is_open)

    def __iter__(self) -> Iterator[OpenLink]:
        """The open ones."""
        return iter([link for link in self._entered.values() if link.is_open])

    def __contains__(self, connection_id: UUID) -> bool:
        """Whether it is here, open or about to be."""
        return connection_id in self._entered

    def find(self, device: str) -> OpenLink | None:
        """By the id that the device gave, or by the id that it is registered under."""
        link = self._open.get(device)
        return link if link is not None and link.is_open else None

    def enter(self, link: OpenLink) -> None:
        """Raises TooManyLinksError."""
        if self._stopping or len(self._entered) >= self._most:
            raise TooManyLinksError("this process takes no more connections")
        link._totals = self._counts
        self._entered[link.connection_id] = link

    def open(self, link: OpenLink, device_id: UUID | None, position: int) -> None:
        """It is on the record at `position`, and the device was told."""
        link.device_id, link.position = device_id, position
        for name in _names(link):
            # Of two that were opened in the same moment the later one counts, whichever gets here first.
            if name not in self._open or self._open[name].position < position:
                self._open[name] = link

    def remove(self, link: OpenLink) -> None:
        """It is gone, and takes none of the names with it that belong to a newer one."""
        link.lose()
        self._entered.pop(link.connection_id, None)
        for name in _names(link):
            if self._open.get(name) is link:
                del self._open[name]
        if not self._entered:
            self._emptied.set()

    def totals(self, commands_waiting: int, queries_waiting: int) -> Totals:
        lifetime = int(monotonic() - self._began) + 1
        received, sent = self._counts.received, self._counts.sent
        return Totals(received, sent, received // lifetime, sent // lifetime, commands_waiting, queries_waiting)

    async def ask(self, connection_id: UUID, question: Question, timeout: float) -> str:
        """See Holder. Raises NotPublishedError too when too many questions wait for the device already."""
        link = self._entered.get(connection_id)
        if link is None or not link.is_open:
            raise NotConnectedError("the device is not connected")
        return await link.ask(question, timeout)

    def traffic(self, connection_ids: Collection[UUID]) -> Sequence[Traffic]:
        return [self._entered[id].traffic for id in connection_ids if id in self._entered]

    def close(self, connection_id: UUID, code: int, reason: str) -> None:
        link = self._entered.get(connection_id)
        if link is None or link.ending is not None:
            return
        was_open = link.is_open
        link.ending = (code, reason)
        if was_open:  # else whoever opens it sees that it is at its end
            task = asyncio.create_task(link.close(code, reason))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    async def close_all(self, code: int = GOING_AWAY, reason: str = STOPPING, seconds: float = 3.0) -> None:
        """Takes no further link, says goodbye to all, and waits until they are gone, for so many seconds at most."""
        self._stopping = True
        for connection_id in list(self._entered):
            self.close(connection_id, code, reason)
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._entered:
                    self._emptied.clear()
                    await self._emptied.wait()


def _names(link: OpenLink) -> set[str]:
    return {link.device} if link.device_id is None else {link.device, str(link.device_id)}
