"""Servers as children that die with us, and what to do about those that an earlier crash left behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

from adapters.embedded.launch import SAME

_LAUNCH = str(Path(__file__).with_name("launch.py"))
_TRY_AGAIN_SECONDS = 0.005

Escalation = Sequence[tuple[signal.Signals, float]]
"""Signals in order, each with the seconds that the process gets to end after it."""


class Child:
    """A running server process. It gets `death_signal` from the kernel when we die, in whatever way we die.

    It has a session of its own, so Ctrl-C on the terminal reaches us alone and we end it in our order.
    Standard output and standard error go to `output`, which is emptied first.
    """

    def __init__(
        self,
        program: Sequence[str],
        *,
        directory: Path,
        output: Path,
        death_signal: signal.Signals,
        identity: str = SAME,
    ) -> None:
        with output.open("wb") as sink:
            os.fchmod(sink.fileno(), 0o600)
            # The kernel sends the death signal when the *thread* that forked ends: so one forks that never
            # ends.
            self._process = (
                _forking_thread(os.getpid())
                .submit(
                    subprocess.Popen,
                    launch_command(program, death_signal=death_signal, identity=identity),
                    cwd=directory,
                    stdin=subprocess.DEVNULL,
                    stdout=sink,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
                .result()
            )

    @property
    def pid(self) -> int:
        """The server's process id (the launcher execs, so it is the same from the beginning)."""
        return self._process.pid

    def poll(self) -> int | None:
        """None while it runs, else its exit status (negative: the signal that ended it)."""
        return self._process.poll()

    def stop(self, escalation: Escalation) -> int:
        """Send one signal after the other until it has ended, SIGKILL at last; returns the exit status."""
        for number, seconds in escalation:
            self._process.send_signal(number)
            try:
                return self._process.wait(seconds)
            except subprocess.TimeoutExpired:
                continue
        self._process.kill()
        return self._process.wait()


def launch_command(
    program: Sequence[str], *, death_signal: signal.Signals, identity: str = SAME, verb: str = "exec"
) -> list[str]:
    """The command line that runs `program` through launch.py as a child of this process."""
    launcher = [sys.executable, "-I", "-S", _LAUNCH, str(os.getpid()), str(int(death_signal)), identity, verb]
    return [*launcher, *program]


def finish_off_leftovers(name: str, directory: Path, escalation: Escalation) -> None:
    """End every process whose executable is called `name` and whose working directory is `directory`.

    Call it only with the directory's lock: then nobody has a right to run there, and what runs is what a
    crash left behind. A process id from a file is never believed, since it may belong to somebody else by
    now.
    """
    for number, seconds in (*escalation, (signal.SIGKILL, 5.0)):
        if not _signal_all(name, directory, number):
            return
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if not any(_running(name, directory)):
                return
            time.sleep(_TRY_AGAIN_SECONDS)


def runs_on(pid: int, name: str, directory: Path) -> bool:
    """Whether `pid` is a process with the executable `name` that works in `directory`."""
    try:
        # An upgrade may have replaced the wheel.
        executable = os.readlink(f"/proc/{pid}/exe").removesuffix(" (deleted)")
        return Path(executable).name == name and os.readlink(f"/proc/{pid}/cwd") == str(directory)
    except PermissionError:
        # Root without the right to trace, as in a container, may not see them for another user's process.
        return _was_started_on(pid, name, directory)
    except OSError:
        return False  # it has just ended


def _was_started_on(pid: int, name: str, directory: Path) -> bool:
    try:
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return Path(os.fsdecode(arguments[0])).name == name and os.fsencode(directory) in arguments


def _running(name: str, directory: Path) -> Iterator[int]:
    for entry in Path("/proc").glob("[0-9]*"):
        if runs_on(int(entry.name), name, directory):
            yield int(entry.name)


def _signal_all(name: str, directory: Path, number: signal.Signals) -> bool:
    """Returns whether there was anybody to signal."""
    found = False
    for pid in _running(name, directory):
        found = True
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue
    return found


@cache
def _forking_thread(_pid: int) -> ThreadPoolExecutor:
    """One thread for the life of the process (after a fork the new process needs a thread of its own)."""
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="forks-servers")
