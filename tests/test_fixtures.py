import subprocess
from collections.abc import Callable

import psycopg

from adapters.embedded.nats import EmbeddedNats
from tests.product import descendants, frozen
from tests.waiting import eventually

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
                    assert descendants(parent.pid) == below, "none goes, none comes"
                assert parent.poll() is None
        finally:
            parent.kill()
