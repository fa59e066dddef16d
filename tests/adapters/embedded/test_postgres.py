import os
import pwd
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import sqlalchemy

from adapters.embedded import identity
from adapters.embedded.errors import (
    DirectoryInUseError,
    NoServerUserError,
    OtherVersionError,
    PortTakenError,
    ServerStartError,
)
from adapters.embedded.postgres import EmbeddedPostgres
from tests.servers import FAST, start_postgres
from tests.waiting import eventually

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")


def ask(postgres: EmbeddedPostgres, question: str) -> object:
    with psycopg.connect(postgres.url) as connection:
        row = connection.execute(question.encode()).fetchone()
    assert row is not None
    return row[0]


def note(postgres: EmbeddedPostgres, text: str) -> None:
    with psycopg.connect(postgres.url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS notes (note text)")
        connection.execute("INSERT INTO notes VALUES (%s)", [text])


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """For tests that leave it as it was."""
    with start_postgres(tmp_path_factory.mktemp("postgres")) as postgres:
        yield postgres


def test_a_second_start_on_the_directory_finds_the_data_of_the_first(tmp_path: Path) -> None:
    with start_postgres(tmp_path) as postgres:
        note(postgres, "kept")
        url = postgres.url
    with start_postgres(tmp_path) as postgres:
        assert ask(postgres, "SELECT note FROM notes") == "kept"
        assert postgres.url.split("@")[0] == url.split("@")[0]  # the password is kept too


def test_the_url_serves_sqlalchemy(shared: EmbeddedPostgres) -> None:
    engine = sqlalchemy.create_engine(shared.url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as connection:
        assert connection.scalar(sqlalchemy.text("SELECT current_database()")) == "tidemark"
    engine.dispose()


def test_a_write_is_on_disk_when_it_is_acknowledged(tmp_path: Path) -> None:
    with start_postgres(tmp_path, settings={}) as postgres:
        for setting in ("fsync", "synchronous_commit", "full_page_writes", "data_checksums"):
            assert ask(postgres, f"SHOW {setting}") == "on"


def test_a_test_may_trade_durability_for_speed(shared: EmbeddedPostgres) -> None:
    assert ask(shared, "SHOW fsync") == "off"


def test_nobody_enters_without_the_password(shared: EmbeddedPostgres) -> None:
    password = shared.url.split(":")[2].split("@")[0]
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(shared.url.replace(password, "guessed"))


def test_nobody_enters_as_the_superuser(shared: EmbeddedPostgres) -> None:
    assert ask(shared, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is False
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(shared.url.replace("//tidemark:", "//postgres:"))


def test_the_password_is_in_one_private_file_and_in_no_log_and_on_no_command_line(
    shared: EmbeddedPostgres,
) -> None:
    secret = (shared.data_dir / "password").read_bytes()
    assert (shared.data_dir / "password").stat().st_mode & 0o777 == 0o600
    assert shared.data_dir.stat().st_mode & 0o777 == 0o700
    holders = [path.name for path in shared.data_dir.rglob("*") if path.is_file() and secret in path.read_bytes()]
    assert holders == ["password"]
    assert secret not in Path(f"/proc/{shared.pid}/cmdline").read_bytes()


def test_a_failing_statement_leaves_none_of_its_values_in_the_log(shared: EmbeddedPostgres) -> None:
    with psycopg.connect(shared.url, autocommit=True) as connection:
        connection.execute("CREATE TEMPORARY TABLE once (secret text PRIMARY KEY)")
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute("INSERT INTO once VALUES ('hunter2'), ('hunter2')")

    def written() -> str:
        return "".join(path.read_text() for path in (shared.data_dir / "cluster" / "log").iterdir())

    eventually(lambda: "duplicate key" in written())  # a process of its own writes it
    assert "hunter2" not in written()


def test_a_lost_password_file_is_replaced(tmp_path: Path) -> None:
    with start_postgres(tmp_path) as postgres:
        note(postgres, "kept")
    (tmp_path / "password").unlink()
    with start_postgres(tmp_path) as postgres:
        assert ask(postgres, "SELECT note FROM notes") == "kept"


def test_a_second_opener_is_told_who_uses_the_directory(shared: EmbeddedPostgres) -> None:
    with pytest.raises(DirectoryInUseError, match="in use by process") as refusal:
        EmbeddedPostgres(shared.data_dir).start()
    assert refusal.value.pid == os.getpid()
    assert shared.is_alive


def test_a_taken_port_is_one_sentence_with_port_purpose_and_flag(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(PortTakenError) as refusal:
            EmbeddedPostgres(tmp_path, port).start()
    for part in (str(port), "PostgreSQL", "--postgres-port"):
        assert part in str(refusal.value)
    with EmbeddedPostgres(tmp_path, port, settings=FAST) as postgres:  # the refusal left nothing locked
        assert postgres.port == port


def test_a_killed_server_is_restarted_on_its_port_with_its_data(tmp_path: Path) -> None:
    with start_postgres(tmp_path, settings={}) as postgres:
        note(postgres, "kept")
        url = postgres.url
        postgres.kill()
        assert postgres.poll() == -9
        assert not postgres.is_alive
        postgres.restart()
        assert postgres.url == url
        assert ask(postgres, "SELECT note FROM notes") == "kept"


def test_a_server_is_killed_and_restarted_under_a_busy_client(tmp_path: Path) -> None:
    with start_postgres(tmp_path) as postgres, psycopg.connect(postgres.url) as client:
        # A backend in the middle of a computation does not notice that the postmaster has died.
        busy = threading.Thread(target=_run_to_the_end, args=(client, "SELECT sum(n) FROM generate_series(1, 1e9) n"))
        busy.start()
        postgres.kill()
        postgres.restart()
        assert ask(postgres, "SELECT 1") == 1
        busy.join()


def test_a_crash_in_the_first_start_is_forgotten(tmp_path: Path) -> None:
    (tmp_path / "cluster.new" / "base").mkdir(parents=True)
    (tmp_path / "cluster.new" / "PG_VERSION").write_text("18\n")
    with start_postgres(tmp_path) as postgres:
        assert ask(postgres, "SELECT 1") == 1
    assert not (tmp_path / "cluster.new").exists()


def test_a_stale_pid_file_does_not_harm_the_process_that_has_the_number_now(tmp_path: Path) -> None:
    with start_postgres(tmp_path) as postgres:
        pid_file = tmp_path / "cluster" / "postmaster.pid"
        lines = pid_file.read_text().splitlines()
        postgres.kill()
    bystander = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, cwd=tmp_path)
    try:
        pid_file.write_text("\n".join([str(bystander.pid), *lines[1:]]) + "\n")
        with start_postgres(tmp_path) as postgres:
            assert ask(postgres, "SELECT 1") == 1
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.communicate()


def test_a_server_outlives_the_thread_that_started_it(tmp_path: Path) -> None:
    postgres = EmbeddedPostgres(tmp_path, settings=FAST)
    thread = threading.Thread(target=postgres.start)
    thread.start()
    thread.join()
    with postgres:
        assert ask(postgres, "SELECT 1") == 1


def test_a_cluster_of_another_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cluster").mkdir()
    (tmp_path / "cluster" / "PG_VERSION").write_text("17\n")
    with pytest.raises(OtherVersionError, match=r"PostgreSQL 17.*PostgreSQL 18"):
        EmbeddedPostgres(tmp_path).start()


def test_a_setting_that_postgresql_refuses_is_told_in_its_words(tmp_path: Path) -> None:
    with pytest.raises(ServerStartError, match="no_such_setting"):
        EmbeddedPostgres(tmp_path, settings={"no_such_setting": "1"}).start()


def test_it_runs_below_a_folder_that_only_its_owner_may_enter(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    with start_postgres(home / "data" / "postgres") as postgres:
        assert ask(postgres, "SELECT 1") == 1
    assert home.stat().st_mode & 0o777 == 0o700


@as_root
def test_without_user_namespaces_root_runs_it_as_an_ordinary_user_and_opens_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = pwd.getpwnam("nobody")
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    with start_postgres(home / "postgres") as postgres:
        note(postgres, "kept")
    monkeypatch.setattr(identity, "_candidates", lambda _owned: iter(["123456:x", f"{nobody.pw_uid}:{nobody.pw_gid}"]))
    with start_postgres(home / "postgres") as postgres:
        assert Path(f"/proc/{postgres.pid}").stat().st_uid == nobody.pw_uid
        assert ask(postgres, "SELECT note FROM notes") == "kept"
    monkeypatch.undo()
    assert (home.stat().st_uid, home.stat().st_mode & 0o777) == (0, 0o700)
    with start_postgres(home / "postgres") as postgres:  # it stays with the owner that it has now
        assert Path(f"/proc/{postgres.pid}").stat().st_uid == nobody.pw_uid
        assert ask(postgres, "SELECT note FROM notes") == "kept"


@as_root
def test_root_without_any_other_identity_is_told_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity, "_candidates", lambda _owned: iter(["0:0"]))
    with pytest.raises(NoServerUserError, match="as an ordinary user"):
        EmbeddedPostgres(tmp_path).start()


def _run_to_the_end(client: psycopg.Connection[tuple[object, ...]], statement: str) -> None:
    with pytest.raises(psycopg.OperationalError):
        client.execute(statement.encode())
