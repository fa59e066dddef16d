from collections.abc import Callable

import psycopg

from adapters.embedded.nats import EmbeddedNats


def test_every_database_is_a_log_of_its_own(make_database: Callable[[], str]) -> None:
    identities = set()
    for url in (make_database(), make_database()):
        with psycopg.connect(url) as connection:
            identities.add(connection.execute("SELECT id FROM log_identity").fetchone())
            assert connection.execute("SELECT count(*) FROM events").fetchone() == (0,)
    assert len(identities) == 2


def test_nats_runs(nats_server: EmbeddedNats) -> None:
    assert nats_server.is_alive
