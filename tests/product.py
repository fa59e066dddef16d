"""The product as its users run it: `tidemark …` in processes of its own, started, stopped, killed and restarted."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

ROOT = Path(__file__).parents[1]
TIDEMARK = (sys.executable, "-m", "entrypoints.cli")

# Far above what is promised (cold 20 s, warm 8 s): a machine under load is slow, not wrong.
START_SECONDS = 90.0
STOP_SECONDS = 15.0


class Program:
    """One `tidemark` command as a process in a group of its own, its output in a file. `root` is where its code is."""

    def __init__(
        self,
        arguments: Sequence[str],
        output: Path,
        environment: Mapping[str, str] | None = None,
        root: Path = ROOT,
    ) -> None:
        self._arguments = arguments
        self._output = output
        self._root = root
        self._environment = environment or {}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None, "not started"
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        with self._output.open("ab") as sink:
            self._process = subprocess.Popen(
                [*TIDEMARK, *self._arguments],
                cwd=self._root,
                env={**environment(), **self._environment},
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_until(self, ready: Callable[[], bool], seconds: float = START_SECONDS) -> None:
        """Returns when it is ready; fails with what the program wrote when it ended, or is not ready in time."""
        deadline = time.monotonic() + seconds
        while not ready():
            assert self.is_alive, f"{self} ended with status {self._exit_status()}:\n{self.log()}"
            assert time.monotonic() < deadline, f"{self} was not ready in {seconds:.0f} s:\n{self.log()}"
            time.sleep(0.02)

    def stop(self, seconds: float = STOP_SECONDS) -> None:
        """SIGTERM; it must drain and end with status 0 in the seconds promised."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        try:
            status = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self} did not stop in {seconds:.0f} s:\n{self.log()}") from None
        assert status == 0, f"{self} stopped with status {status}:\n{self.log()}"

    def kill(self) -> None:
        """`kill -9` for it and for everything it started, servers included, with no time to say goodbye."""
        if self._process is None:
            return
        for pid in [*descendants(self._process.pid), self._process.pid]:
            _signal(pid, signal.SIGKILL)
        self._process.wait()

    def log(self, lines: int = 60) -> str:
        """The end of what it wrote."""
        text = self._output.read_text(errors="replace") if self._output.exists() else ""
        return "\n".join(text.splitlines()[-lines:])

    def _exit_status(self) -> int | None:
        return None if self._process is None else self._process.poll()

    def __str__(self) -> str:
        return f"tidemark {' '.join(self._arguments)}"


class Product:
    """`tidemark up` on a directory: everything, embedded, on free ports. A context manager.

    Leaving it stops it politely; whoever killed it before leaves a killed one.
    """

    def __init__(
        self, directory: Path, *options: str, environment: Mapping[str, str] | None = None, root: Path = ROOT
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.data_dir = directory / "data"
        self._ready_file = directory / "ready.json"
        arguments = ["up", "--data-dir", str(self.data_dir), "--ports", "auto", "--ready-file", str(self._ready_file)]
        self._program = Program([*arguments, *options], directory / "log.txt", environment, root)
        self.urls: dict[str, str] = {}
        self.ready: dict[str, object] = {}

    @property
    def api(self) -> str:
        return self.urls["api"]

    @property
    def pid(self) -> int:
        return self._program.pid

    @property
    def is_alive(self) -> bool:
        return self._program.is_alive

    def start(self) -> float:
        """Starts it on whatever is in the directory and waits until every listener answers. Returns the seconds."""
        started = time.monotonic()
        self._ready_file.unlink(missing_ok=True)
        self._program.start()
        self._program.wait_until(self._is_ready)
        return time.monotonic() - started

    def stop(self) -> None:
        """SIGTERM. Must end with status 0 within 15 s."""
        self._program.stop()

    def kill(self) -> None:
        """`kill -9` of everything: our process, PostgreSQL, NATS."""
        self._program.kill()

    def server(self, name: str) -> int:
        """The process id of an embedded server, by the name of its executable: `postgres` or `nats-server`."""
        for pid in descendants(self.pid, deep=False):
            if executable(pid) == name:
                return pid
        raise AssertionError(f"no {name} runs under {self._program}:\n{self.log()}")

    def log(self, lines: int = 60) -> str:
        return self._program.log(lines)

    def run(self, *arguments: str, seconds: float = 60.0) -> str:
        """A further command on the same data directory; returns what it printed, fails when it fails."""
        return run_tidemark(*arguments, "--data-dir", str(self.data_dir), seconds=seconds)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self.is_alive:
            return
        if error is None:
            self.stop()
        else:
            self.kill()

    def _is_ready(self) -> bool:
        try:
            self.ready = json.loads(self._ready_file.read_text())
        except (FileNotFoundError, ValueError):
            return False
        urls = self.ready["urls"]
        assert isinstance(urls, dict)
        self.urls = urls
        return True


def run_tidemark(
    *arguments: str, seconds: float = 60.0, env: Mapping[str, str] | None = None, fails: bool = False, stdin: str = ""
) -> str:
    """A command that ends by itself: its output, both streams. With `fails` it must not end with 0."""
    done = subprocess.run(
        [*TIDEMARK, *arguments],
        cwd=ROOT,
        env={**environment(), **(env or {})},
        input=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=seconds,
        check=False,
    )
    assert (done.returncode != 0) == fails, f"tidemark {' '.join(arguments)} → {done.returncode}\n{done.stdout}"
    return done.stdout


@contextmanager
def running(program: Program) -> Iterator[Program]:
    """Starts a program that is not awaited, and stops it at the end."""
    program.start()
    try:
        yield program
    except BaseException:
        program.kill()
        raise
    if program.is_alive:
        program.stop()


def environment() -> dict[str, str]:
    """Ours without any TIDEMARK_ setting that would change what is tested."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TIDEMARK_")}
    return {**kept, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}


def descendants(pid: int, *, deep: bool = True) -> list[int]:
    """All processes below `pid`, the nearest first."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        if (parent := _parent(int(entry.name))) is not None:
            children.setdefault(parent, []).append(int(entry.name))
    found = children.get(pid, [])
    for child in found:
        if deep:
            found = [*found, *descendants(child)]
    return found


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    """It and all below it neither answer nor close anything, as behind a network that swallows packets."""
    stopped = [pid]
    try:
        # It first: it starts no further ones from then on. One of those that it has may end just now.
        _signal(pid, signal.SIGSTOP)
        for one in descendants(pid):
            stopped.append(one)
            _signal(one, signal.SIGSTOP)
        yield
    finally:
        # It last: until then it asks for none that ended, and no other process takes over an id.
        for one in reversed(stopped):
            _signal(one, signal.SIGCONT)


def descendants_running(module: str, pid: int) -> list[int]:
    """Those that were started as `python -m module`."""
    return [one for one in descendants(pid) if module in _command(one)]


def executable(pid: int) -> str:
    return Path(_command(pid)[0]).name


def _command(pid: int) -> list[str]:
    """Its words, an empty one when it has just ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace").split("\0")
    except OSError:
        return [""]


def _parent(pid: int) -> int | None:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, IndexError):
        return None


def _signal(pid: int, number: signal.Signals) -> None:
    """Nothing if it has just ended."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)
