"""A headless Chromium, driven over its own DevTools protocol. One page at a time; blocking."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from websockets.sync.client import ClientConnection, connect

from tests.waiting import eventually

# `make browser` puts the first of them on a Debian machine; the variable names another one.
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
FOUND = os.environ.get("TIDEMARK_TEST_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)

# It is to look for nothing and nobody but the page it is given.
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--remote-debugging-port=0",
)


class Page:
    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._numbers = count(1)
        self.complaints: list[str] = []
        """What the page logged with `console.error`, and exceptions that nobody caught."""

    def go(self, url: str) -> None:
        self._ask("Page.navigate", url=url)
        eventually(lambda: self.evaluate("document.readyState") == "complete", seconds=30)

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression; of a promise, what it is resolved to."""
        answer = self._ask("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def begin(self) -> None:
        for domain in ("Page", "Runtime"):
            self._ask(f"{domain}.enable")

    def _ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = next(self._numbers)
        self._connection.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._connection.recv(timeout=60))
            if message.get("id") == number:
                assert "error" not in message, message["error"]
                result: dict[str, Any] = message["result"]
                return result
            self._note(message)

    def _note(self, message: Mapping[str, Any]) -> None:
        match message.get("method"), message.get("params"):
            case "Runtime.consoleAPICalled", {"type": "error", "args": arguments}:
                self.complaints.append(" ".join(str(argument.get("value")) for argument in arguments))
            case "Runtime.exceptionThrown", {"exceptionDetails": details}:
                self.complaints.append(str(details))


@contextmanager
def chromium(directory: Path, flags: Sequence[str] = ()) -> Iterator[Page]:
    """An empty page in a browser of its own, with `directory` as its profile."""
    assert FOUND is not None
    with (directory / "chromium.log").open("wb") as log:
        process = subprocess.Popen(
            [FOUND, *_FLAGS, *flags, f"--user-data-dir={directory / 'profile'}", "about:blank"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        with connect(_page_of(directory / "profile"), max_size=None, open_timeout=60) as connection:
            page = Page(connection)
            page.begin()
            yield page
    finally:
        process.kill()
        process.wait()


def _page_of(profile: Path) -> str:
    """The address for the debugger of the browser's first page."""

    def port() -> int:
        file = profile / "DevToolsActivePort"
        assert file.exists()
        return int(file.read_text().split()[0])

    host = f"127.0.0.1:{eventually(port, seconds=60)}"

    def target() -> str:
        with urlopen(Request(f"http://{host}/json/list"), timeout=10) as answer:
            pages = [one for one in json.load(answer) if one["type"] == "page"]
        assert pages
        return str(pages[0]["webSocketDebuggerUrl"])

    return f"ws://{host}{urlsplit(eventually(target, seconds=60)).path}"
