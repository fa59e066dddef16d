"""Current values: visible at once, until they expire (contract metrics 1.5 and 1.6; cases M1 to M86)."""

import asyncio
from datetime import timedelta
from itertools import groupby, pairwise
from uuid import UUID

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.eventstore.reader import PostgresLogReader
from domain.devices.device import DeviceRemoved
from domain.event import Event, Recorded
from domain.identifiers import reports_id
from domain.metrics.reports import MetricsReported
from projections.database import Database
from projections.metrics import current, current_pages
from projections.metrics.current import CurrentMetricQueries, CurrentMetrics, DeviceMetric, FleetMetric, MetricValue
from tests.projections.history import MAPPER, START, append, as_of, rows
from tests.projections.metrics import NOON, Fact, apply, device, empty, moment, report, told

ONE, TWO, THREE = sorted(device(number) for number in range(3))
NOW = moment(NOON)

Step = tuple[int, int, str, int | float | str] | int


async def given_facts(url: str, *facts: Fact) -> None:
    await apply(url, CurrentMetrics(), told(*facts))


async def test_a_value_is_visible_at_once_until_it_expires(database_url: str, database: Database) -> None:
    await given_facts(database_url, Fact(NOON, ONE, [report("my-metric", 12, 180, units="my-units", type="uint32")]))
    queries = CurrentMetricQueries(database)
    seen = [DeviceMetric("my-metric", "volatile", "my-units", 12)]
    assert await queries.of_device(ONE, NOW) == seen
    assert await queries.of_device(ONE, moment(NOON + 180)) == seen
    expired = moment(NOON + 180) + timedelta(microseconds=1)
    assert await queries.of_device(ONE, expired) == []
    assert await queries.of_metric("my-metric", moment(NOON + 180)) == [MetricValue(ONE, 12)]
    assert await queries.of_metric("my-metric", expired) == []
    assert await queries.over_devices(expired) == []


async def test_a_device_that_never_reported_is_told_from_one_with_nothing_fresh(
    database_url: str, database: Database
) -> None:
    await given_facts(database_url, Fact(NOON, ONE, [report("m", 1)]))
    assert await CurrentMetricQueries(database).of_device(TWO, NOW) is None


async def test_the_newest_report_wins_whatever_it_changes(database_url: str, database: Database) -> None:
    facts = (
        Fact(NOON, ONE, [report("m", 12), report("m", 13)]),
        Fact(NOON + 1, ONE, [report("m", "yes", units="u", slope="zero")]),
    )
    queries = CurrentMetricQueries(database)
    await given_facts(database_url, facts[0])
    assert await queries.of_metric("m", NOW) == [MetricValue(ONE, 13.0)]
    await apply(database_url, CurrentMetrics(), told(facts[1], first=2))
    assert await queries.of_device(ONE, NOW) == [DeviceMetric("m", "string_and_time", "u", "yes")]


async def test_values_have_the_json_type_of_their_metric(database_url: str, database: Database) -> None:
    reports = [report("d", 20), report("i", -20, type="int32"), report("s", '<b>&"é\0'), report("z", 1, slope="zero")]
    await given_facts(database_url, Fact(NOON, ONE, reports))
    found = await CurrentMetricQueries(database).of_device(ONE, NOW)
    assert found is not None
    assert [(one.name, one.value, one.value.__class__, one.nature) for one in found] == [
        ("d", 20.0, float, "volatile"),
        ("i", -20, int, "volatile"),
        ("s", '<b>&"é\ufffd', str, "string_and_time"),
        ("z", 1.0, float, "constant"),
    ]


async def test_over_all_devices_the_range_of_fresh_values_of_the_kind_seen_first(
    database_url: str, database: Database
) -> None:
    await given_facts(
        database_url,
        Fact(NOON, TWO, [report("level", 13, type="int32", units="cups"), report("more", "yes")]),
        Fact(NOON, ONE, [report("level", 24, type="int16"), report("Ärger", 0.5)]),
        Fact(NOON, THREE, [report("level", 99, type="uint8"), report("more", 1)]),
    )
    assert await CurrentMetricQueries(database).over_devices(NOW) == [
        FleetMetric("level", "volatile", "cups", 13, 24),
        FleetMetric("more", "string_and_time", "", None, None),
        FleetMetric("Ärger", "volatile", "", 0.5, 0.5),
    ]


async def test_when_the_first_has_expired_the_next_one_counts(database_url: str, database: Database) -> None:
    await given_facts(
        database_url,
        Fact(NOON, TWO, [report("level", 13, ttl=1, type="int32")]),
        Fact(NOON, ONE, [report("level", 2.5, ttl=60, slope="zero")]),
    )
    later = moment(NOON + 2)
    assert await CurrentMetricQueries(database).over_devices(later) == [FleetMetric("level", "constant", "", 2.5, 2.5)]


async def test_everything_is_told_metric_by_metric_however_much_it_is(
    database_url: str, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(current, "AT_ONCE", 3)
    reports = [report(name, n) for n, name in enumerate("abcde")]
    await given_facts(
        database_url,
        *(Fact(NOON + n, one, [*reports, report("gone", 1, ttl=1)]) for n, one in enumerate((ONE, TWO, THREE))),
    )
    found = [one async for one in CurrentMetricQueries(database).everything(moment(NOON + 30))]
    assert len(found) == 15
    assert {(one.name, one.device_id): one.value for one in found} == {
        (name, one): float(n) for n, name in enumerate("abcde") for one in (ONE, TWO, THREE)
    }
    assert len([name for name, _ in groupby(found, key=lambda one: one.name)]) == 5
    assert found[0].reported_at == moment(NOON)


async def test_names_are_exact_and_of_any_length(database_url: str, database: Database) -> None:
    names = ["../x", "a/b", "A/b", " ", "n" * 20_000, "é", "\0"]
    await given_facts(database_url, Fact(NOON, ONE, [report(name, n) for n, name in enumerate(names) if name != " "]))
    queries = CurrentMetricQueries(database)
    for number, name in enumerate(names):
        expected = [] if name == " " else [MetricValue(ONE, float(number))]
        assert await queries.of_metric(name, NOW) == expected


async def test_a_removed_device_is_gone_and_begins_anew(database_url: str, database: Database) -> None:
    facts = (
        Fact(NOON, ONE, [report("old", 1)]),
        Fact(NOON, TWO, [report("m", 1)]),
        Fact(NOON, ONE),
        Fact(NOON, ONE, [report("new", 2)]),
        Fact(NOON, TWO),
    )
    await given_facts(database_url, *facts)
    queries = CurrentMetricQueries(database)
    assert await queries.of_device(ONE, NOW) == [DeviceMetric("new", "volatile", "", 2.0)]
    assert await queries.of_device(TWO, NOW) is None


@pytest.mark.parametrize("ttl", [2**63 - 1, 10**12, 365 * 86_400 * 1000])
async def test_a_value_may_last_longer_than_the_calendar(database_url: str, database: Database, ttl: int) -> None:
    await given_facts(database_url, Fact(NOON, ONE, [report("m", 1, ttl=ttl)]))
    assert await CurrentMetricQueries(database).of_metric("m", moment(NOON + 10**10)) == [MetricValue(ONE, 1.0)]


DAY = 86_400


@pytest.mark.parametrize("together", [True, False])
async def test_times_far_apart_or_out_of_order_are_told_as_of_each_position(
    database_url: str, database: Database, *, together: bool
) -> None:
    """As the clocks of two processes have them, and of metrics that are reported once a year."""
    times = [0, 1, -1, 2 * DAY, 365 * DAY, 365 * DAY + 0.000001, DAY, *(DAY + n / 7 for n in range(40))]
    log = told(*(Fact(NOON + at, ONE, [report("m", at, ttl=2**40)]) for at in times))
    await apply(database_url, CurrentMetrics(), *([log] if together else [[one] for one in log]))
    for position, at in enumerate(times, 1):
        with as_of(position):
            found = [one async for one in CurrentMetricQueries(database).everything(NOW)]
        assert [(one.value, one.reported_at) for one in found] == [(at, moment(NOON + at))]


async def test_texts_of_any_kind_are_told_as_of_each_position(database_url: str, database: Database) -> None:
    texts = ["", "NULL", "a,b", '"', "\\", '\\"', "{}", " é🚀", "\n", "\0"] * 4
    await given_facts(database_url, *(Fact(NOON, ONE, [report("m", text)]) for text in texts))
    for position, text in enumerate(texts, 1):
        with as_of(position):
            said = await CurrentMetricQueries(database).of_metric("m", NOW)
        assert said == [MetricValue(ONE, text.replace("\0", "\ufffd"))]


values = st.integers(-100, 100) | st.sampled_from(["yes", "no"])
facts = st.builds(
    Fact,
    st.integers(0, 300).map(lambda seconds: NOON + seconds),
    st.sampled_from([ONE, TWO, THREE]),
    st.lists(st.builds(report, st.sampled_from("abc"), values, st.integers(1, 60)), max_size=4),
)
histories = st.lists(facts, min_size=1, max_size=12).flatmap(
    lambda found: st.tuples(st.just(told(*found)), st.sets(st.integers(1, len(found))))
)


@given(histories)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=30)
def test_how_the_log_is_cut_into_batches_makes_no_difference(
    database_url: str, history: tuple[list[Recorded], set[int]]
) -> None:
    log, cuts = history
    bounds = [0, *sorted(cuts), len(log)]
    batches = [log[start:end] for start, end in pairwise(bounds) if start < end]

    async def tables(*batches: list[Recorded]) -> object:
        model = CurrentMetrics()
        await empty(database_url, model)
        await apply(database_url, model, *batches)
        return rows(database_url, "current_metrics"), rows(database_url, "metric_pages")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(current_pages, "PAGE", 2)
        assert asyncio.run(tables(*batches)) == asyncio.run(tables(log))


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(
        st.one_of(
            st.tuples(
                st.integers(0, 1), st.integers(0, 1), st.sampled_from("ab\0"), st.sampled_from([1, 2.5, "x", "y"])
            ),
            st.integers(0, 1),
        ),
        min_size=1,
        max_size=60,
    ),
    repeats=st.lists(st.sampled_from([1, 1, 1, 1, 1, 40]), min_size=60, max_size=60),
    cuts=st.sets(st.integers(1, 200)),
)
async def test_what_was_current_is_told_as_of_every_position(
    database_url: str, database: Database, steps: list[Step], repeats: list[int], cuts: set[int]
) -> None:
    """Whatever day's stream the reports of two processes come in, and however the log is cut."""
    await empty(database_url, CurrentMetrics())
    with psycopg.connect(database_url) as connection:
        connection.execute("TRUNCATE events")
    log = [_step(step) for step, often in zip(steps, repeats, strict=False) for _ in range(often)]
    append(database_url, *log)
    async with PostgresLogReader(database_url, MAPPER) as reader:
        events = await reader.read(0, len(log))
    said = []
    model, batch = CurrentMetrics(), list[Recorded]()
    for one in events:
        batch.append(one)
        if one.position in cuts or one is events[-1]:
            await apply(database_url, model, batch)
            said.append((one.position, await _everything(database)))
            batch = []
            if one.position % 3 == 0:
                model = CurrentMetrics()
    for position, then in said:
        with as_of(position):
            assert await _everything(database) == then


def _step(step: Step) -> tuple[UUID, Event]:
    if isinstance(step, int):
        return (ONE, TWO)[step], DeviceRemoved()
    number, day, name, value = step
    device_id = (ONE, TWO)[number]
    event = MetricsReported(device_id=device_id, reports=(report(name, value), report(f"{name}{name}", 1)))
    return reports_id(device_id, (moment(NOON) + timedelta(days=day)).date()), event


async def _everything(database: Database) -> object:
    """Each list there is; of a time at which some has expired."""
    queries, now = CurrentMetricQueries(database), START + timedelta(seconds=90)
    return (
        [await queries.of_device(id, now) for id in (ONE, TWO)],
        [await queries.of_metric(name, now) for name in ("a", "bb", "\0")],
        await queries.over_devices(now),
        [one async for one in queries.everything(now)],
    )
