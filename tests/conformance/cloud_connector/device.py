"""A device that connects itself by WebSocket, as the connector's sample device does."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.waiting import eventually

OPEN_SECONDS = 20.0

Question = dict[str, Any]
Answer = Callable[[Question], str | None]


def repeat(question: Question) -> str:
    """What the contract's cases are answered by: `R:` and the payload."""
    return json.dumps({"id": question["id"], "payload": f"R:{question['payload']}"})


def silent(_: Question) -> None:
    return None


class SocketDevice:
    """Connected from its making to its close, a context manager. `heard` is what it was asked; `answer` says what it
    sends in return, nothing for None."""

    def __init__(
        self, url: str, id: str | None = None, answer: Answer = repeat, headers: Mapping[str, str] | None = None
    ) -> None:
        self.id = id or f"dev-{uuid4().hex[:12]}"
        self.heard: list[Question] = []
        self.answer = answer
        self._connection = ExitStack()
        self._socket = self._connection.enter_context(dial(url, {"Device-Id": self.id, **(headers or {})}))
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def say(self, message: str) -> None:
        self._socket.send(message)

    def hears(self, count: int = 1) -> list[Question]:
        """Waits until it was asked so often."""
        eventually(lambda: len(self.heard) >= count)
        return self.heard

    def close(self) -> None:
        self._connection.close()
        self._thread.join(OPEN_SECONDS)

    def ended(self) -> int | None:
        """Waits until its connection is closed; returns the code."""
        self._thread.join(OPEN_SECONDS)
        assert not self._thread.is_alive(), "the connection is still open"
        return self._socket.close_code

    def _listen(self) -> None:
        try:
            for message in self._socket:
                question = json.loads(message)
                self.heard.append(question)
                if (said := self.answer(question)) is not None:
                    self._socket.send(said)
        except ConnectionClosed:
            return

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@contextmanager
def dial(url: str, headers: Mapping[str, str]) -> Iterator[ClientConnection]:
    """Raises InvalidStatus when it is refused. `url` is that of a mount, by http."""
    with connect(
        f"{url.replace('http', 'ws', 1)}/connect",
        additional_headers=dict(headers),
        open_timeout=OPEN_SECONDS,
        max_size=None,
        proxy=None,
    ) as socket:
        yield socket
