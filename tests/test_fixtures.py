import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psycopg

from adapters.embedded.nats import EmbeddedNats
from tests.product import descendants, frozen
from tests.waiting import eventually

GROUPED = """
import os
from pathlib import Path

import pytest

MARKED = [pytest.param(n, marks=pytest.mark.xdist_group(["even", "odd"][n % 2])) for n in range(20)]


@pytest.mark.parametrize("number", MARKED)
def test_number(number):
    with Path(f"ran-{os.getpid()}").open("a") as file:
        print(["even", "odd"][number % 2], os.getpid(), file=file)
"""

ALWAYS_NEW_ONES = "while :; do sleep 0.001 & true & wait; done"


def test_every_database_is_a_log_of_its_own(make_database: Callable[[], str]) -> None:
    identities = set()
    for url in (make_database(), make_database()):
        with psycopg.connect(url) as connection:
            identities.add(connection.execute("SELECT id FROM log_identity").fetchone())
            assert connection.execute("SELECT count(*) FROM events").fetchone() == (0,)
    assert len(identities) == 2


def test_nats_runs(nats_server: EmbeddedNats) -> None:
    assert nats_server.is_alive


def test_what_starts_and_ends_processes_all_the_time_is_frozen_whole() -> None:
    with subprocess.Popen(["sh", "-c", ALWAYS_NEW_ONES]) as parent:
        try:
            eventually(lambda: descendants(parent.pid))
            for _ in range(200):
                with frozen(parent.pid):
                    below = descendants(parent.pid)
                    # What had ended may still be asked for, by a parent that has not come to its own end yet.
                    assert set(descendants(parent.pid)) <= set(below), "none comes"
                assert parent.poll() is None
        finally:
            parent.kill()


def test_the_tests_of_a_group_share_a_process(tmp_path: Path) -> None:
    (tmp_path / "test_groups.py").write_text(GROUPED)
    command = [sys.executable, "-m", "pytest", "-p", "xdist", "-n", "2", "--dist", "loadgroup"]
    environment = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PATH": os.environ["PATH"]}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    ran = [line.split() for file in tmp_path.glob("ran-*") for line in file.read_text().splitlines()]
    assert len(ran) == 20
    assert len({process for group, process in ran if group == "even"}) == 1
    assert len({process for group, process in ran if group == "odd"}) == 1
