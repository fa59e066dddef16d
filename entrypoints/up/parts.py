"""What the supervisor runs, each with a name, a start, an end, and a look whether it still lives."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from time import monotonic
from typing import Protocol

import entrypoints
from adapters.embedded.child import launch_command

_FIRST_PAUSE = 0.2
_LONGEST_PAUSE = 10.0
# Whoever ran so long was well, and what ended it is a new story.
_WELL_SECONDS = 30.0


class Part(Protocol):
    """EmbeddedPostgres and EmbeddedNats are parts as they are."""

    def start(self) -> None: ...

    def poll(self) -> int | None:
        """None while it runs or was not started, else how it ended (negative: a signal)."""


class Process:
    """One of our own processes. It dies with us, has a session of its own, and writes where we write.

    Settings go by environment and sockets by inheritance: nothing secret is on the command line.
    """

    def __init__(self, command: str, environment: Mapping[str, str], sockets: Mapping[str, socket.socket]) -> None:
        self._command = command
        self._environment = environment
        self._sockets = sockets
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        numbers = {name: opened.fileno() for name, opened in self._sockets.items()}
        self._process = subprocess.Popen(
            # SIGKILL, because whoever acknowledges only after the commit may be cut off at any time.
            launch_command(self._program(), death_signal=signal.SIGKILL),
            env={
                **self._environment,
                "TIDEMARK_SOCKETS": ",".join(f"{name}={number}" for name, number in numbers.items()),
                "PYTHONPATH": _import_path(self._environment),
            },
            stdin=subprocess.DEVNULL,
            pass_fds=tuple(numbers.values()),
            start_new_session=True,
        )

    def poll(self) -> int | None:
        return self._process.poll() if self._process else None

    def ask_to_stop(self) -> None:
        if self._process and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)

    def wait(self, seconds: float) -> bool:
        """Whether it ended in time; it is killed if not."""
        if self._process is None:
            return True
        try:
            self._process.wait(max(seconds, 0))
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            return False
        return True

    def _program(self) -> list[str]:
        # -P: what lies in the current directory is none of our modules.
        return [sys.executable, "-P", "-m", "entrypoints.cli", self._command]


class Watched:
    """A part with its history: when to start it again after it ended."""

    def __init__(self, name: str, part: Part) -> None:
        self.name = name
        self.part = part
        self.endings = 0
        self._pause = _FIRST_PAUSE
        self._started = monotonic()
        self._again_at: float | None = None

    def start(self) -> None:
        self._again_at = None
        self._started = monotonic()
        self.part.start()

    def look(self, tell: Callable[[str, int, float], None]) -> bool:
        """Notices an ending, which is told with the pause until the next start. Whether that is due."""
        status = self.part.poll()
        if self._again_at is None and status is not None:
            if monotonic() - self._started > _WELL_SECONDS:
                self._pause = _FIRST_PAUSE
            tell(self.name, status, self._pause)
            self.put_off()
        return self._again_at is not None and monotonic() >= self._again_at

    def put_off(self) -> None:
        """The next start is due after a pause, longer each time."""
        self.endings += 1
        self._again_at = monotonic() + self._pause
        self._pause = min(self._pause * 2, _LONGEST_PAUSE)


def how_it_ended(status: int) -> str:
    if status >= 0:
        return f"ended with status {status}"
    try:
        return f"was ended by {signal.Signals(-status).name}"
    except ValueError:
        return f"was ended by signal {-status}"


def _import_path(environment: Mapping[str, str]) -> str:
    ours = str(Path(entrypoints.__file__).parents[1])
    given = environment.get("PYTHONPATH", "")
    return os.pathsep.join([ours, *(one for one in given.split(os.pathsep) if one and one != ours)])
