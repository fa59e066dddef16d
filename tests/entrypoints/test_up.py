"""`tidemark up`, as its user meets it: it starts, says where everything is, survives, and stops in order."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest

from adapters.embedded.ports import is_taken
from tests.adapters.embedded.waiting import is_gone
from tests.architecture.rules import ROOT

pytestmark = pytest.mark.timeout(400)

# A machine under load is slow, not wrong.
START_SECONDS = 120.0
STOP_SECONDS = 15.0


class Up:
    """One data directory, and `tidemark up` on it as often as asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data_dir = folder / "data"
        self.ready_file = folder / "ready.json"
        self.process: subprocess.Popen[bytes] | None = None
        self.urls: dict[str, str] = {}

    def start(self, *more: str) -> float:
        """Returns the seconds until the ready file was there."""
        started = time.monotonic()
        with (self.folder / "output").open("ab") as output:
            self.process = subprocess.Popen(
                [*TIDEMARK, "up", *self._arguments(), *more],
                cwd=ROOT,
                env=ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.wait_for(self.ready_file.exists, START_SECONDS)
        said = json.loads(self.ready_file.read_text())
        assert said["pid"] == self.process.pid
        self.urls = said["urls"]
        return time.monotonic() - started

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        assert self.process is not None
        self.process.send_signal(number)
        assert self.process.wait(STOP_SECONDS) == 0, self.output()

    def kill(self) -> None:
        """Only itself: everything else must die with it."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def run(self, command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*TIDEMARK, command, "--data-dir", str(self.data_dir), *arguments],
            cwd=ROOT,
            env=ENVIRONMENT,
            capture_output=True,
            text=True,
            timeout=START_SECONDS,
            check=False,
        )

    def wait_for(self, condition: Callable[[], bool], seconds: float = 30.0) -> None:
        assert self.process is not None
        deadline = time.monotonic() + seconds
        while not condition():
            assert self.process.poll() is None, self.output()
            assert time.monotonic() < deadline, self.output()
            time.sleep(0.02)

    def is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.urls['api']}/health/ready", timeout=5).status_code == 200
        except httpx.HTTPError:
            return False

    def child(self, word: str) -> int:
        """The process id of the child with the word on its command line."""
        assert self.process is not None
        return next(pid for pid, line in children(self.process.pid) if word in line)

    def output(self) -> str:
        return (self.folder / "output").read_text()

    def _arguments(self) -> list[str]:
        return ["--data-dir", str(self.data_dir), "--ports", "auto", "--ready-file", str(self.ready_file)]


TIDEMARK = (sys.executable, "-m", "entrypoints.cli")
ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if not name.startswith("TIDEMARK_") and name != "JWT_SECRET"},
    "PYTHONPATH": str(ROOT),
}


def children(parent: int) -> Iterator[tuple[int, str]]:
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if int((entry / "stat").read_text().rpartition(")")[2].split()[1]) == parent:
                yield int(entry.name), (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """Shared by the tests of this file, which run in its order and leave it running."""
    running = Up(tmp_path_factory.mktemp("up"))
    try:
        running.start()
        yield running
        if running.process and running.process.poll() is None:
            running.stop()
    finally:
        running.kill()


def test_every_listener_answers_when_the_ready_file_is_there(up: Up) -> None:
    http = ("api", "connector", "metrics", "discovery", "producer", "consumer")
    assert set(up.urls) == {*http, "mqtt", "nats", "postgres"}
    for name in http:
        assert httpx.get(f"{up.urls[name]}/health/live").json() == {"status": "alive"}
        assert httpx.get(f"{up.urls[name]}/no/such/thing").status_code == 404
    for name in ("mqtt", "nats", "postgres"):
        assert up.urls[name].startswith(f"{name}")
        assert is_taken(int(up.urls[name].rpartition(":")[2].partition("/")[0]))
    assert httpx.get(f"{up.urls['api']}/health/ready").json()["status"] == "ready"


def test_what_holds_a_secret_is_for_its_owner_only(up: Up) -> None:
    assert up.data_dir.stat().st_mode & 0o777 == 0o700
    secrets = [up.data_dir / name for name in ("jwt-secret", "seal-key", "proof-key")]
    for file in (up.ready_file, up.data_dir / "running.json", *secrets):
        assert file.stat().st_mode & 0o777 == 0o600
    password = up.urls["postgres"].partition("tidemark:")[2].partition("@")[0]
    for text in (up.output(), *(line for _, line in children(up.process.pid if up.process else 0))):
        for secret in (password, *(file.read_text().strip() for file in secrets)):
            assert secret not in text


def test_both_processes_are_measured_in_one_place(up: Up) -> None:
    page = httpx.get(f"{up.urls['api']}/metrics").text
    assert 'process_resident_memory_bytes{process="api"}' in page
    assert 'process_resident_memory_bytes{process="worker"}' in page
    assert 'tidemark_projection_lag{process="api",projection="directory"} 0.0' in page


def test_read_models_are_shown(up: Up) -> None:
    shown = httpx.get(f"{up.urls['api']}/projections").json()["projections"]
    assert {"accounts", "directory", "readings"} <= {one["name"] for one in shown}


def test_a_token_is_signed_with_the_secret_of_the_directory(up: Up) -> None:
    token = up.run("token", "--subject", "ada").stdout.strip()
    claims: dict[str, Any] = jwt.decode(token, (up.data_dir / "jwt-secret").read_text().strip(), ["HS256"])
    assert claims["sub"] == "ada"


def test_the_doctor_finds_nothing_wrong(up: Up) -> None:
    examined = up.run("doctor")
    assert examined.returncode == 0, examined.stdout
    assert "✗" not in examined.stdout


def test_read_models_are_rebuilt_and_events_listed_beside_it(up: Up) -> None:
    rebuilt = up.run("rebuild", "all")
    assert rebuilt.returncode == 0, rebuilt.stderr
    assert up.run("events", "--json").returncode == 0


def test_a_second_one_on_the_same_directory_is_refused_in_a_sentence(up: Up) -> None:
    refused = up.run("up", "--ports", "auto")
    assert refused.returncode == 1
    assert "in use by process" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert up.is_ready()


def test_a_taken_port_is_named_with_its_purpose_and_its_flag(up: Up, tmp_path: Path) -> None:
    taken = up.urls["connector"].rpartition(":")[2]
    other = Up(tmp_path)
    refused = other.run("up", "--ports", "auto", "--connector-port", taken)
    assert refused.returncode == 1
    assert f"Port {taken}" in refused.stderr
    assert "the cloud connector" in refused.stderr
    assert "--connector-port" in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize("word", ["entrypoints.cli serve", "entrypoints.cli worker", "nats-server", "bin/postgres"])
def test_what_crashes_is_started_again(up: Up, word: str) -> None:
    crashed = up.child(word)
    os.kill(crashed, signal.SIGKILL)
    up.wait_for(lambda: any(word in line and pid != crashed for pid, line in children(up.process.pid)))  # type: ignore[union-attr]  # it runs
    up.wait_for(up.is_ready, 60)
    assert "was ended by SIGKILL; starting it again" in up.output()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_in_order_and_continues(up: Up, number: signal.Signals) -> None:
    assert up.process is not None
    pids = [pid for pid, _ in children(up.process.pid)]
    secret = (up.data_dir / "jwt-secret").read_text()
    up.stop(number)
    assert not [pid for pid in pids if not is_gone(pid)]
    assert not up.ready_file.exists()
    assert not (up.data_dir / "running.json").exists()
    up.start()
    assert up.is_ready()
    assert (up.data_dir / "jwt-secret").read_text() == secret


def test_what_was_recorded_until_it_stops_is_signed(up: Up) -> None:
    assert up.run("simulate", "--devices", "1", "--duration", "1").returncode == 0
    (head,) = [json.loads(line)["position"] for line in up.run("events", "--json", "--limit", "1").stdout.splitlines()]
    up.stop()
    signed = (up.data_dir / "proof" / "checkpoints.jsonl").read_text().splitlines()
    assert json.loads(json.loads(signed[-1])["statement"])["last"] >= head
    up.start()
    verified = up.run("verify")
    assert verified.returncode == 0, verified.stdout
    assert "checkpoints and their file" in verified.stdout


def test_it_continues_after_a_kill_and_leaves_nobody_behind(up: Up) -> None:
    assert up.process is not None
    pids = [pid for pid, _ in children(up.process.pid)]
    up.kill()
    up.ready_file.unlink()
    up.start()
    # Nobody collects those whose parent was killed but the machine, which takes its time.
    up.wait_for(lambda: all(is_gone(pid) for pid in pids))
    assert up.is_ready()
