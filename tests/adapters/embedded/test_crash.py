"""What a crash of our process leaves behind, and that the next start copes with it."""

import json
import os
import pwd
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest

from tests.adapters.embedded.waiting import is_gone, wait_until

ROOT = Path(__file__).parents[3]
PACKAGES = [path for path in sys.path if path.endswith("-packages")]
ENVIRONMENT = {
    "PYTHONPATH": os.pathsep.join([str(ROOT), *PACKAGES]),
    "PYTHONDONTWRITEBYTECODE": "1",
    "HOME": "/",
}
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")

Servers = tuple["subprocess.Popen[str]", dict[str, str], list[int]]
Run = Callable[..., Servers]


@pytest.fixture
def run() -> Iterator[Run]:
    """Start `run_servers` in a process group of its own; what still runs at the end is killed."""
    started: list[subprocess.Popen[str]] = []

    def run_servers(directory: Path, *identity: str, user: str | None = None, python: str = sys.executable) -> Servers:
        account = pwd.getpwnam(user) if user is not None else None
        process = subprocess.Popen(
            [python, "-m", "tests.adapters.embedded.run_servers", str(directory), *identity],
            cwd="/",
            env=ENVIRONMENT,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
            user=account and account.pw_uid,
            group=account and account.pw_gid,
            extra_groups=[] if account else None,
        )
        started.append(process)
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        pids = ready.pop("pids")
        return process, ready, pids

    yield run_servers
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def note(url: str, text: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS notes (note text)")
        connection.execute("INSERT INTO notes VALUES (%s)", [text])


def notes(url: str) -> list[str]:
    with psycopg.connect(url) as connection:
        return [str(row[0]) for row in connection.execute("SELECT note FROM notes ORDER BY note")]


def kill_group(process: "subprocess.Popen[str]") -> None:
    os.killpg(process.pid, signal.SIGKILL)


def kill_alone(process: "subprocess.Popen[str]") -> None:
    process.kill()


@pytest.mark.parametrize("kill", [kill_group, kill_alone])
def test_servers_are_gone_soon_after_their_parent_was_killed(
    tmp_path: Path, run: Run, kill: Callable[["subprocess.Popen[str]"], None]
) -> None:
    parent, _, pids = run(tmp_path)
    kill(parent)
    wait_until(lambda: all(map(is_gone, pids)), seconds=3.0)


def test_what_was_committed_before_a_kill_is_there_after_the_next_start(tmp_path: Path, run: Run) -> None:
    for life in range(3):
        parent, urls, _ = run(tmp_path)
        note(urls["postgres"], f"life {life}")
        assert notes(urls["postgres"]) == [f"life {past}" for past in range(life + 1)]
        kill_group(parent)  # and the next start does not wait until they are gone


@as_root
@pytest.mark.parametrize("identity", ["namespace", "65534:65534"])
def test_servers_of_root_die_with_their_parent_whatever_identity_they_have(
    tmp_path: Path, run: Run, identity: str
) -> None:
    parent, urls, pids = run(tmp_path, identity)
    note(urls["postgres"], "kept")
    kill_group(parent)
    wait_until(lambda: all(map(is_gone, pids)), seconds=3.0)
    _, urls, _ = run(tmp_path, identity)
    assert notes(urls["postgres"]) == ["kept"]


@as_root
def test_an_ordinary_user_can_do_the_same(run: Run) -> None:
    nobody = pwd.getpwnam("nobody")
    with TemporaryDirectory(ignore_cleanup_errors=True) as home:
        os.chown(home, nobody.pw_uid, nobody.pw_gid)
        python = python_for_everybody()
        parent, urls, pids = run(Path(home), user="nobody", python=python)
        note(urls["postgres"], "kept")
        kill_group(parent)
        wait_until(lambda: all(map(is_gone, pids)), seconds=3.0)
        again, urls, pids = run(Path(home), user="nobody", python=python)
        assert notes(urls["postgres"]) == ["kept"]
        kill_group(again)
        wait_until(lambda: all(map(is_gone, pids)), seconds=3.0)


def test_a_server_that_would_not_die_is_finished_off_by_the_next_start(tmp_path: Path, run: Run) -> None:
    parent, urls, pids = run(tmp_path)
    note(urls["postgres"], "kept")
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    kill_group(parent)
    parent.wait()
    assert not any(map(is_gone, pids))
    _, urls, _ = run(tmp_path)
    assert notes(urls["postgres"]) == ["kept"]
    wait_until(lambda: all(map(is_gone, pids)), seconds=3.0)


def python_for_everybody() -> str:
    """A Python of our version that nobody, too, may run with our packages: ours may lie below /root."""
    code = "import adapters.embedded.postgres, psycopg"
    for python in (sys.executable, f"/usr/bin/python3.{sys.version_info.minor}"):
        try:
            tried = subprocess.run([python, "-c", code], env=ENVIRONMENT, cwd="/", user="nobody", check=False)
        except OSError:
            continue
        if tried.returncode == 0:
            return python
    pytest.skip("the user nobody may not enter the folders of this Python and its packages")
