import subprocess
import sys
from uuid import UUID

import psycopg
import pytest

from adapters.eventstore.recorder import LogDatastore, LogRecorder, Row
from adapters.eventstore.schema import migrate


def identity(url: str) -> str:
    with psycopg.connect(url) as connection:
        (found,) = connection.execute("SELECT id::text FROM log_identity").fetchall()
    return str(found[0])


def test_a_fresh_database_becomes_a_log(empty_database_url: str) -> None:
    migrate(empty_database_url)
    recorder = LogRecorder(LogDatastore(empty_database_url))
    assert recorder.insert([Row(UUID(int=1), 1, "a.b.c.v1", b"{}")], 0, set()).first == 1
    recorder.datastore.close()


def test_migrating_twice_changes_nothing(empty_database_url: str) -> None:
    migrate(empty_database_url)
    before = identity(empty_database_url)
    migrate(empty_database_url)
    assert identity(empty_database_url) == before


def test_two_processes_may_migrate_at_once(empty_database_url: str, pytestconfig: pytest.Config) -> None:
    program = (
        "import sys; from adapters.eventstore.schema import migrate\n"
        "print('ready', flush=True); sys.stdin.readline(); migrate(sys.argv[1])"
    )
    migrating = [
        subprocess.Popen(
            [sys.executable, "-c", program, empty_database_url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=pytestconfig.rootpath,
        )
        for _ in range(3)
    ]
    try:
        for process in migrating:
            assert process.stdout
            assert process.stdout.readline() == "ready\n"
        for process in migrating:
            assert process.stdin
            process.stdin.write("go\n")
            process.stdin.flush()
        assert [process.wait(timeout=30) for process in migrating] == [0, 0, 0]
    finally:
        for process in migrating:
            process.kill()
            process.communicate()
    assert identity(empty_database_url)


def test_a_migration_that_fails_leaves_nothing_behind_and_nobody_waiting(empty_database_url: str) -> None:
    with psycopg.connect(empty_database_url) as connection:
        connection.execute("CREATE TABLE snapshots (in_the_way int)")
    with pytest.raises(Exception, match="already exists"):
        migrate(empty_database_url)
    with psycopg.connect(empty_database_url) as connection:
        assert connection.execute("SELECT to_regclass('events')").fetchone() == (None,)
        connection.execute("DROP TABLE snapshots")
    migrate(empty_database_url)
    assert identity(empty_database_url)


def test_a_database_whose_readings_were_rebuilt_before_indexes_kept_their_names_is_brought_up(
    empty_database_url: str,
) -> None:
    migrate(empty_database_url, "0003")
    with psycopg.connect(empty_database_url) as connection:
        for index in ("readings_by_sensor", "readings_by_time"):
            connection.execute(f"ALTER INDEX {index} RENAME TO {index}_made_up".encode())
    migrate(empty_database_url)
    with psycopg.connect(empty_database_url) as connection:
        found = connection.execute(
            "SELECT indexname FROM pg_indexes WHERE tablename = 'readings' ORDER BY 1"
        ).fetchall()
    assert found == [("readings_ahead",), ("readings_by_sensor",), ("readings_by_time",), ("readings_pkey",)]
