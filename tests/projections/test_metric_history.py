"""History: full grids, the contract's numbers whenever one asks, and the same tables however they came about
(contract metrics 1.7; cases M90 to M113)."""

import asyncio
from collections.abc import Sequence
from itertools import pairwise
from math import isclose
from typing import Any
from uuid import UUID, uuid5

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.eventstore.reader import PostgresLogReader
from application.ports import NewEvent
from domain.devices.device import DeviceRemoved
from domain.event import Recorded
from domain.metrics.grid import Grid, between, last
from domain.metrics.reports import MetricsReported
from domain.metrics.series import HOUR
from projections.as_of import ForgottenError
from projections.batch import Batch
from projections.database import Database
from projections.metrics import history
from projections.metrics.current import CurrentMetrics
from projections.metrics.history import MetricHistory
from projections.metrics.history_queries import DEVICES_AT_ONCE, WHATS, DeviceHistory, MetricHistoryQueries, Values
from projections.positions import Positions
from projections.rebuild import rebuild
from tests.domain.metrics import naive
from tests.domain.metrics.naive import Told
from tests.projections.conftest import running
from tests.projections.history import MAPPER, append, as_of, rows
from tests.projections.metrics import NOON, Fact, apply, device, empty, report, told

ONE, TWO = sorted(device(number) for number in range(2))
DAY = 86_400


async def given_facts(url: str, *facts: Fact) -> None:
    await apply(url, MetricHistory(), told(*facts))


async def values(database: Database, grid: Grid, now: int, name: str = "m", device_id: UUID = ONE) -> Values:
    found = await MetricHistoryQueries(database).find(device_id, name, grid, now)
    assert found is not None
    assert len(found) == grid.length
    return found


def known(grid: Grid, found: Values) -> dict[int, float]:
    return {time: value for time, value in zip(grid.times, found, strict=True) if value is not None}


async def test_one_report_draws_a_line_for_as_long_as_it_lasts(database_url: str, database: Database) -> None:
    await given_facts(database_url, Fact(NOON + 4, ONE, [report("m", 13, ttl=3600)]))
    for now in (NOON + 4, NOON + 18, NOON + 19, NOON + 184, NOON + 3604, NOON + 3700):
        grid = last("hour", now)
        written = min((now - NOON - 4) // 15 * 15 + NOON + 4, NOON + 3604)
        # Of the first 15 seconds only 4 are covered, of those before 11.
        assert known(grid, await values(database, grid, now)) == {
            time: 13.0 for time in grid.times if NOON <= time <= written
        }


async def test_the_named_stretches_are_full_grids(database_url: str, database: Database) -> None:
    await given_facts(database_url, Fact(NOON, ONE, [report("m", 13, ttl=1)]))
    for duration, points in (("hour", 241), ("day", 289), ("quarter", 2161)):
        assert len(await values(database, last(duration, NOON), NOON)) == points


async def test_silence_of_172_seconds_is_unknown_and_of_62_is_filled(database_url: str, database: Database) -> None:
    times = [NOON, NOON + 62, NOON + 234]
    await given_facts(database_url, *(Fact(at, ONE, [report("m", n, ttl=5)]) for n, at in enumerate(times)))
    grid = last("hour", NOON + 240)
    found = known(grid, await values(database, grid, NOON + 240))
    assert found == {NOON: 0.0, **dict.fromkeys((NOON + 15, NOON + 30, NOON + 45, NOON + 60), 1.0)}


async def test_a_closed_five_minutes_is_the_mean_of_its_points(database_url: str, database: Database) -> None:
    facts = [Fact(NOON + 33 * n, ONE, [report("m", 10 * n, ttl=30)]) for n in range(19)]
    await given_facts(database_url, *facts)
    now = NOON + 33 * 18
    fine, coarse = last("hour", now), last("day", now)
    points = known(fine, await values(database, fine, now))
    five = known(coarse, await values(database, coarse, now))
    within = [points[time] for time in range(NOON + 15, NOON + 301, 15)]
    assert five[NOON + 300] == pytest.approx(sum(within) / 20, abs=1e-6)
    assert max(five) == NOON + 300  # the open one is unknown


async def test_a_text_ends_the_line_and_has_no_history(database_url: str, database: Database) -> None:
    await given_facts(
        database_url,
        Fact(NOON, ONE, [report("m", 1, ttl=3600), report("words", "yes")]),
        Fact(NOON + 60, ONE, [report("m", "off")]),
    )
    grid = last("hour", NOON + 600)
    assert max(known(grid, await values(database, grid, NOON + 600))) == NOON + 45
    queries = MetricHistoryQueries(database)
    assert await queries.find(ONE, "words", grid, NOON) is None
    assert await queries.names() == ["m"]


async def test_names_are_sorted_by_their_bytes(database_url: str, database: Database) -> None:
    await given_facts(
        database_url,
        Fact(NOON, ONE, [report(name, 1) for name in ("é", "a b", "a", "Z", "z" * 9000, "../x")]),
        Fact(NOON, TWO, [report("a", 1), report("s", "t")]),
    )
    queries = MetricHistoryQueries(database)
    assert await queries.names() == ["../x", "Z", "a", "a b", "z" * 9000, "é"]
    assert await queries.names(TWO) == ["a"]
    assert await queries.names(device(9)) == []


async def test_over_devices_those_that_ever_had_it_even_with_nothing_known(
    database_url: str, database: Database
) -> None:
    await given_facts(
        database_url,
        Fact(NOON - 5 * HOUR, TWO, [report("m", 2, ttl=1)]),
        Fact(NOON, ONE, [report("m", 1, ttl=1)]),
    )
    grid = last("hour", NOON)
    queries = MetricHistoryQueries(database)
    found = [one async for one in queries.over_devices(await queries.devices("m"), "m", grid, NOON)]
    assert found == [DeviceHistory(ONE, await values(database, grid, NOON)), DeviceHistory(TWO, [None] * 241)]
    assert await queries.devices("nope") == []
    assert [one async for one in queries.over_devices([ONE], "nope", grid, NOON)] == []


async def test_more_devices_than_are_read_at_a_time(database_url: str, database: Database) -> None:
    count = DEVICES_AT_ONCE * 2 + 1
    facts = [Fact(NOON, device(n), [report("m", n), report("o", n)]) for n in range(count)]
    await given_facts(database_url, *facts)
    grid = last("hour", NOON)
    queries = MetricHistoryQueries(database)
    devices = await queries.devices("m")
    assert devices == sorted(device(n) for n in range(count))
    found = [one async for one in queries.over_devices(devices[::-1], "m", grid, NOON)]
    assert [one.device_id for one in found] == devices[::-1]
    assert {one.device_id: one.values[-2] for one in found} == {device(n): float(n) for n in range(count)}


async def test_the_spread_of_each_archive_can_be_asked_for(database_url: str, database: Database) -> None:
    facts = [Fact(NOON + 15 * n, ONE, [report("m", n % 4, ttl=1)]) for n in range(1, 1000)]
    await given_facts(database_url, *facts)
    now, queries = NOON + 15 * 999, MetricHistoryQueries(database)
    for duration, at, expected in (
        ("hour", NOON + 14400, (0.0, 0.0, 0.0, 1)),
        ("day", NOON + 300, (1.5, 0.0, 3.0, 20)),
        ("quarter", NOON + 3 * HOUR, (1.5, 0.0, 3.0, 240)),
    ):
        grid = last(duration, now)
        index = grid.times.index(at)
        found = [await queries.find(ONE, "m", grid, now, what) for what in WHATS]
        assert tuple(one[index] for one in found if one is not None) == expected


async def test_a_removed_device_has_no_history_and_begins_anew(database_url: str, database: Database) -> None:
    model = MetricHistory()
    facts = (
        Fact(NOON, ONE, [report("m", 1, ttl=DAY), report("old", 1)]),
        Fact(NOON + 2 * HOUR, ONE, [report("m", 1, ttl=DAY)]),
        Fact(NOON + 2 * HOUR, ONE),
        Fact(NOON + 3 * HOUR, ONE, [report("m", 5, ttl=DAY)]),
    )
    await apply(database_url, model, told(*facts[:2]), told(*facts[2:], first=3))
    grid, now = last("day", NOON + 4 * HOUR), NOON + 4 * HOUR
    assert set(known(grid, await values(database, grid, now)).values()) == {5.0}
    assert await MetricHistoryQueries(database).names() == ["m"]
    assert {row[0] for row in rows(database_url, "metric_points")} <= {
        row[0] for row in rows(database_url, "metric_series")
    }


async def test_rings_hold_what_is_kept_and_do_not_grow(database_url: str, database: Database) -> None:
    """Two reports an hour with a ttl of an hour, for two hundred days."""
    end = NOON + 200 * DAY
    facts = [Fact(at, ONE, [report("m", at // 1800 % 7, ttl=HOUR)]) for at in range(NOON, end + 1, 1800)]
    await apply(
        database_url, MetricHistory(), *(told(*facts[n : n + 500], first=n + 1) for n in range(0, len(facts), 500))
    )
    assert len(rows(database_url, "metric_points")) == 2 + 3 + 10
    for duration in ("hour", "day", "quarter"):
        grid = last(duration, end)
        found = await values(database, grid, end)
        assert None not in found[:-1]
        assert found[-1] is None
    long_ago = between(end - 150 * DAY, end, end)
    found = await values(database, long_ago, end)
    assert len(known(long_ago, found)) == 90 * 24
    assert min(known(long_ago, found)) > end - 90 * DAY


async def test_what_was_not_committed_is_not_remembered(database_url: str, database: Database) -> None:
    model = MetricHistory()
    log = told(*(Fact(NOON + 15 * n, ONE, [report("m", n)]) for n in range(1, 50)))
    await apply(database_url, model, log[:20])
    with pytest.raises(ZeroDivisionError):
        await apply(database_url, _Failing(model), log[20:])
    await apply(database_url, model, log[20:])
    tables = {table.name: rows(database_url, table.name) for table in model.tables}
    await empty(database_url, model)
    await apply(database_url, MetricHistory(), log)
    assert {table.name: rows(database_url, table.name) for table in model.tables} == tables


class _Failing(MetricHistory):
    """Fails when everything is done, so that it is rolled back."""

    def __init__(self, model: MetricHistory) -> None:
        self._model = model

    async def apply(self, batch: Batch, to: Any) -> None:
        await self._model.apply(batch, to)
        raise ZeroDivisionError


async def test_more_series_than_are_remembered(
    database_url: str, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "REMEMBERED_SERIES", 3)
    facts = [Fact(NOON + n, ONE, [report(name, n) for name in "abcdef"[n % 5 :]]) for n in range(30)]
    await apply(database_url, MetricHistory(), *([one] for one in told(*facts)))
    found = rows(database_url, "metric_series")
    await empty(database_url, MetricHistory())
    monkeypatch.undo()
    await apply(database_url, MetricHistory(), told(*facts))
    assert rows(database_url, "metric_series") == found


reported = st.none() | st.integers(-1000, 1000)
gaps = st.integers(0, 40) | st.integers(0, 400) | st.integers(0, 9000)
ttls = st.integers(1, 60) | st.integers(1, 20_000)


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Told], set[int], int]:
    at = NOON + draw(st.integers(0, 3600))
    found = [Told(at, draw(st.integers(-1000, 1000)), draw(ttls))]
    for gap in draw(st.lists(gaps, max_size=25)):
        at += gap
        found.append(Told(at, draw(reported), draw(ttls)))
    return found, draw(st.sets(st.integers(1, len(found)))), at + draw(gaps)


@given(histories())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=40)
def test_every_archive_shows_what_the_naive_model_says_however_the_log_is_cut(
    database_url: str, case: tuple[list[Told], set[int], int]
) -> None:
    reports, cuts, now = case
    log = told(*(Fact(at, ONE, [report("m", "off" if value is None else value, ttl)]) for at, value, ttl in reports))
    bounds = [0, *sorted(cuts), len(log)]
    batches = [log[start:end] for start, end in pairwise(bounds) if start < end]
    asyncio.run(_compare(database_url, log, batches, reports, now))


async def _compare(url: str, log: list[Recorded], batches: list[list[Recorded]], reports: list[Told], now: int) -> None:
    tables = []
    for cut in ([log], batches):
        await empty(url, MetricHistory())
        await apply(url, MetricHistory(), *cut)
        tables.append([rows(url, table.name) for table in MetricHistory.tables])
    assert tables[0] == tables[1]
    async with Database(url) as database:
        queries = MetricHistoryQueries(database)
        for duration in ("hour", "day", "quarter"):
            grid = last(duration, now)
            first = max(grid.first, (reports[0].at - 15) // grid.step * grid.step + grid.step)
            expected = naive.points(reports, now, grid.step, first, grid.times[-1])
            before = grid.length - len(expected)
            for what in WHATS:
                found = await queries.find(ONE, "m", grid, now, what)
                assert found is not None
                assert not any(found[:before])
                for point, value in zip(expected, found[before:], strict=True):
                    _agree(point, value, what)


def _agree(point: naive.Point, value: float | None, what: str) -> None:
    if what == "count":
        assert (value or 0) == point.known
        return
    wanted = {"average": point.average, "min": point.low, "max": point.high}[what]
    if wanted is None or value is None:
        assert wanted is None
        assert value is None
    else:
        assert isclose(float(wanted), value, rel_tol=1.01e-10, abs_tol=1e-9)


async def test_a_rebuild_from_the_log_gives_the_same_numbers(database_url: str, positions: Positions) -> None:
    models = (CurrentMetrics, MetricHistory)
    for n in range(120):
        reports = tuple(report(name, n % 11, ttl=7 * n % 100 + 1) for name in "abc"[n % 3 :])
        append(database_url, (uuid5(ONE, "metrics"), MetricsReported(device_id=ONE, reports=reports)))
        if n == 50:
            append(database_url, (ONE, DeviceRemoved()))
    async with running(database_url, models):
        for model in models:
            assert (await positions.fresh(model.name)).fresh
        tables = [table.name for model in models for table in model.tables]
        before = {name: rows(database_url, name) for name in tables}
        reader = PostgresLogReader(database_url, MAPPER)
        await rebuild(database_url, models, reader)
        await reader.close()
        assert {name: rows(database_url, name) for name in tables} == before
        assert all(before.values())


@given(histories(), st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=25)
def test_the_past_of_the_past_is_what_the_naive_model_says_or_said_to_be_forgotten(
    database_url: str, case: tuple[list[Told], set[int], int], data: st.DataObject
) -> None:
    reports = [one for one in case[0] if one.value is not None]
    log = told(*(Fact(at, ONE, [report("m", value, ttl)]) for at, value, ttl in reports))
    position = data.draw(st.integers(1, len(log)))
    until = reports[position].at if position < len(reports) else case[2]
    now = data.draw(st.integers(reports[position - 1].at, max(reports[position - 1].at, until - 1)))
    asyncio.run(_compare_past(database_url, log, reports, position, now))


async def _compare_past(url: str, log: list[Recorded], reports: list[Told], position: int, now: int) -> None:
    write(url, log)
    for model in (MetricHistory(), CurrentMetrics()):
        await empty(url, model)
        await apply(url, model, log)
    async with Database(url) as database:
        queries = MetricHistoryQueries(database)
        for duration, kept in (("hour", HOUR), ("day", DAY), ("quarter", 90 * DAY)):
            grid = last(duration, now)
            first = max(grid.first, (reports[0].at - 15) // grid.step * grid.step + grid.step)
            expected = naive.points(reports[:position], now, grid.step, first, grid.times[-1])
            with as_of(position):
                try:
                    found = await queries.find(ONE, "m", grid, now)
                    (over,) = [one async for one in queries.over_devices([ONE], "m", grid, now)]
                except ForgottenError:
                    assert first < reports[-1].at - kept, f"{duration}: nothing had to be forgotten"
                    continue
                assert await queries.names() == ["m"]
            assert found is not None
            assert list(over.values) == list(found)
            for point, value in zip(expected, found[grid.length - len(expected) :], strict=True):
                _agree(point, value, "average")


def write(url: str, log: Sequence[Recorded]) -> None:
    """Makes this the log."""
    with psycopg.connect(url) as connection:
        connection.execute("TRUNCATE events")
        for one in log:
            state = MAPPER.encode(NewEvent(one.aggregate_id, one.version, one.event, one.envelope))
            row = (one.aggregate_id, one.version, one.event.topic, state, one.position)
            connection.execute("INSERT INTO events VALUES (%s, %s, %s, %s, %s)", row)


async def test_what_a_ring_or_a_removal_has_taken_is_said_to_be_gone(database_url: str, database: Database) -> None:
    facts = [Fact(NOON + 60 * n, ONE, [report("m", n, ttl=60)]) for n in range(60 * 30)]
    log = told(*facts, Fact(NOON + 2 * DAY, TWO, [report("k", 1)]), Fact(NOON + 2 * DAY, TWO))
    write(database_url, log)
    for model in (MetricHistory(), CurrentMetrics()):
        await apply(database_url, model, log)
    queries = MetricHistoryQueries(database)
    now = NOON + 60 * 99
    with as_of(100):
        with pytest.raises(ForgottenError, match="points of 15 seconds are kept for an hour; those of then are gone"):
            await queries.find(ONE, "m", last("hour", now), now)
        with pytest.raises(ForgottenError, match="points of 15 seconds"):
            [one async for one in queries.over_devices([ONE], "m", last("hour", now), now)]
        day = last("day", now)
        found = await queries.find(ONE, "m", day, now)
        assert found is not None
        assert max(known(day, found)) == now // 300 * 300
        assert await queries.find(TWO, "k", day, now) is None
        assert await queries.devices("m") == [ONE]
    with as_of(len(log) - 1):
        for gone in (queries.names(), queries.names(TWO), queries.devices("k"), queries.find(TWO, "k", day, now)):
            with pytest.raises(ForgottenError, match="gone since the device was removed"):
                await gone
        assert await queries.names(ONE) == ["m"]
