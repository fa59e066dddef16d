"""The recorder on PostgreSQL: order, conditions, and what becomes of failed inserts."""

import random
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID, uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.eventstore.recorder import LogDatastore, LogRecorder, Row

# PostgreSQL's text holds everything but NUL.
text = st.characters(codec="utf-8", exclude_characters="\0")

A, B = UUID(int=1), UUID(int=2)


def rows(id: UUID, first: int, count: int = 1) -> list[Row]:
    return [Row(id, version, "a.b.c.v1", uuid4().bytes) for version in range(first, first + count)]


@pytest.fixture
def recorder(database_url: str) -> Iterator[LogRecorder]:
    datastore = LogDatastore(database_url)
    yield LogRecorder(datastore)
    datastore.close()


@pytest.fixture
def other(database_url: str) -> Iterator[LogRecorder]:
    datastore = LogDatastore(database_url)
    yield LogRecorder(datastore)
    datastore.close()


def positions(recorder: LogRecorder) -> list[int]:
    with recorder.datastore.get_connection() as connection:
        found = connection.execute("SELECT notification_id FROM events ORDER BY 1").fetchall()
    return [row["notification_id"] for row in found]


def test_the_first_event_has_position_1(recorder: LogRecorder) -> None:
    assert recorder.head() == 0
    inserted = recorder.insert(rows(A, 1, 3), 0, {A})
    assert (inserted.first, inserted.head, inserted.stale) == (1, 3, False)
    assert recorder.head() == 3


def test_an_insert_behind_others_is_made_when_its_own_did_not_change(recorder: LogRecorder, other: LogRecorder) -> None:
    other.insert(rows(A, 1, 2), 0, {A})
    inserted = recorder.insert(rows(B, 1), 0, {B})
    assert (inserted.first, inserted.head, inserted.stale) == (3, 3, False)
    assert inserted.changed == {A}


def test_an_insert_is_stale_when_one_it_looked_at_changed(recorder: LogRecorder, other: LogRecorder) -> None:
    other.insert(rows(A, 1), 0, {A})
    inserted = recorder.insert(rows(B, 1), 0, {A, B})
    assert inserted.stale
    assert inserted.changed == {A}
    assert inserted.head == 1
    assert positions(recorder) == [1]


def test_looking_without_inserting_tells_the_same(recorder: LogRecorder, other: LogRecorder) -> None:
    other.insert(rows(A, 1), 0, {A})
    assert recorder.insert([], 0, {A}).stale
    assert not recorder.insert([], 0, {B}).stale
    assert not recorder.insert([], 1, {A}).stale
    assert positions(recorder) == [1]


def test_a_batch_larger_than_what_a_socket_takes_at_once_is_inserted(recorder: LogRecorder) -> None:
    """psycopg's pipeline used to stop for ever in the middle of it."""
    large = [row._replace(state=b"x" * 16_000) for row in rows(A, 1, 1_000)]
    assert recorder.insert(large, 0, {A}).head == 1_000


def test_a_version_that_is_taken_is_refused_and_leaves_no_gap(recorder: LogRecorder) -> None:
    recorder.insert(rows(A, 1, 2), 0, {A})
    with pytest.raises(psycopg.errors.UniqueViolation):
        recorder.insert([*rows(B, 1), *rows(A, 2)], 2, set())
    assert recorder.insert(rows(B, 1), 2, {B}).first == 3
    assert positions(recorder) == [1, 2, 3]


def test_far_behind_nothing_is_named_but_everything_may_have_changed(
    recorder: LogRecorder, other: LogRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.eventstore.recorder.NAMED_CHANGES", 5)
    other.insert(rows(A, 1, 6), 0, {A})
    inserted = recorder.insert(rows(B, 1), 0, {B})
    assert inserted.stale
    assert inserted.changed is None


@pytest.mark.parametrize("after", [0, 3], ids=["guessing the head", "knowing the head"])
def test_positions_follow_the_order_of_the_rows(recorder: LogRecorder, other: LogRecorder, after: int) -> None:
    other.insert(rows(A, 1, 3), 0, {A})
    batch = [row for version in range(1, 51) for row in rows(B, version)]
    random.shuffle(batch)
    recorder.insert(batch, after, set())
    with recorder.datastore.get_connection() as connection:
        found = connection.execute(
            "SELECT originator_version AS version FROM events WHERE notification_id > 3 ORDER BY notification_id"
        ).fetchall()
    assert [row["version"] for row in found] == [row.version for row in batch]


def test_writers_and_rollbacks_at_once_leave_no_gap_and_commit_in_the_order_of_positions(database_url: str) -> None:
    stop = threading.Event()
    seen: list[int] = []

    def follow() -> None:
        # Whoever reads "after the last position I saw" must never be overtaken from behind.
        with psycopg.connect(database_url, autocommit=True) as connection:
            while True:
                last = stop.is_set()
                after = seen[-1] if seen else 0
                found = connection.execute(
                    "SELECT notification_id FROM events WHERE notification_id > %s ORDER BY 1", (after,)
                ).fetchall()
                seen.extend(position for (position,) in found)
                if last:
                    return

    def write(writer: int) -> int:
        datastore = LogDatastore(database_url)
        recorder = LogRecorder(datastore)
        written = head = 0
        version = 1
        chance = random.Random(writer)
        mine = UUID(int=100 + writer)
        for _ in range(40):
            if chance.random() < 0.3:
                with pytest.raises(psycopg.errors.UniqueViolation):
                    recorder.insert([*rows(uuid4(), 1, 3), *rows(mine, 1), *rows(mine, 1)], head, set())
                continue
            count = chance.randint(1, 5)
            head = recorder.insert(rows(mine, version, count), head, {mine}).head
            version += count
            written += count
        datastore.close()
        return written

    with ThreadPoolExecutor(5) as threads:
        follower = threads.submit(follow)
        written = sum(threads.map(write, range(4)))
        stop.set()
        follower.result()
    assert seen == list(range(1, written + 1))


def test_whoever_has_the_turn_is_alone(recorder: LogRecorder, other: LogRecorder) -> None:
    with ThreadPoolExecutor(1) as threads:
        with recorder.turn():
            waiting = threads.submit(other.insert, rows(A, 1), 0, {A})
            assert recorder.insert(rows(B, 1), 0, {B}).first == 1
            assert not waiting.done()
        assert waiting.result(timeout=10).first == 2


def test_a_turn_ends_with_the_connection_that_had_it(recorder: LogRecorder, other: LogRecorder) -> None:
    turn = recorder.turn()
    turn.__enter__()
    recorder.datastore.close()
    assert other.insert(rows(A, 1), 0, {A}).first == 1
    turn.__exit__(None, None, None)  # what is not held is given back without complaint


def test_a_newer_snapshot_of_the_same_version_replaces_the_older(recorder: LogRecorder) -> None:
    recorder.keep_snapshots([Row(A, 100, "a.b.snapshot.1", b"1")])
    recorder.keep_snapshots([Row(A, 100, "a.b.snapshot.2", b"2"), Row(B, 100, "a.b.snapshot.2", b"3")])
    kept = {snapshot.originator_id: snapshot for snapshot in recorder.latest_snapshots([A, B])}
    assert (kept[A].topic, kept[A].state, kept[B].state) == ("a.b.snapshot.2", b"2", b"3")


def test_of_an_aggregates_events_the_asked_for_are_read(recorder: LogRecorder) -> None:
    recorder.insert([*rows(A, 1, 5), *rows(B, 1, 5)], 0, set())
    assert [(e.originator_id, e.originator_version) for e in recorder.histories([A])] == [(A, n) for n in range(1, 6)]
    assert [e.originator_version for e in recorder.histories_since({A: 3, B: 5})] == [4, 5]
    assert [e.originator_version for e in recorder.tails({A: 2, B: 1})] == [4, 5, 5]
    assert recorder.histories([UUID(int=9)]) == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(
    states=st.lists(st.binary(max_size=300), min_size=1, max_size=20),
    topic=st.text(text),
)
def test_what_goes_in_comes_out(recorder: LogRecorder, states: list[bytes], topic: str) -> None:
    id = uuid4()
    batch = [Row(id, version, topic, state) for version, state in enumerate(states, 1)]
    recorder.insert(batch, recorder.head(), {id})
    assert [Row(e.originator_id, e.originator_version, e.topic, e.state) for e in recorder.histories([id])] == batch  # type: ignore[arg-type]
