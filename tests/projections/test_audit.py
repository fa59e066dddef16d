"""What the audit finds is what a look at every event finds, however the log is cut and whoever falls over."""

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import msgspec
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.eventstore.mapper import Mapper
from adapters.eventstore.reader import PostgresLogReader
from application.ports import NewEvent
from domain.aggregates import DECIDERS, withheld_fields
from domain.catalogue import CATALOGUE
from domain.devices.command import DeviceCommandAnswered, DeviceCommandIssued
from domain.devices.device import DeviceRemoved
from domain.devices.readings import Reading, ReadingsRecorded
from domain.devices.sensor import SensorAdded
from domain.event import Envelope, Event
from domain.identity.user import UserDisabled, UserEnabled, UserRegistered
from domain.value import State
from projections.audit import trail, trail_queries
from projections.audit.differences import differences, public_fields
from projections.audit.histories import HistoryQueries
from projections.audit.traces import Node, TraceQueries
from projections.audit.trail import AuditTrail, packed, unpacked
from projections.audit.trail_queries import Sought, TrailQueries
from projections.database import Database
from projections.positions import Positions
from projections.rebuild import rebuild
from tests.persons import KEYS, PERSON, keep_keys
from tests.projections.conftest import BLOCK, running

MAPPER = Mapper(CATALOGUE)
BEGAN = datetime.fromisoformat("2026-11-24T08:00:00+00:00")
STREAMS = [UUID(int=n) for n in range(1, 6)]
ACTORS = ["user:1", "user:2", "device:1"]


class Written:
    """A log as a test wrote it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.events: list[tuple[UUID, Event, Envelope]] = []
        self._versions: dict[UUID, int] = {}

    def append(self, *events: tuple[UUID, Event, Envelope]) -> None:
        with psycopg.connect(self.url) as connection, connection.cursor() as cursor:
            for stream, event, envelope in events:
                self.events.append((stream, event, envelope))
                version = self._versions[stream] = self._versions.get(stream, 0) + 1
                keep_keys(connection, event)
                state = MAPPER.encode(NewEvent(stream, version, event, envelope), KEYS)
                cursor.execute(
                    "INSERT INTO events VALUES (%s, %s, %s, %s, %s)",
                    (stream, version, event.topic, state, len(self.events)),
                )
            cursor.execute("NOTIFY events")

    def matching(self, sought: Sought) -> list[int]:
        """By looking at each."""
        return [
            position
            for position, (stream, event, envelope) in enumerate(self.events, 1)
            if (sought.context is None or event.topic.split(".")[0] == sought.context)
            and (sought.aggregate is None or event.topic.startswith(f"{sought.aggregate}."))
            and (sought.event is None or event.topic.rpartition(".")[0] == sought.event)
            and sought.id in (None, stream)
            and (sought.about is None or sought.about in (stream, getattr(event, "device_id", None)))
            and sought.actor in (None, envelope.actor)
            and sought.source in (None, envelope.source)
            and sought.correlation in (None, envelope.correlation_id)
            and (sought.since is None or envelope.at >= sought.since)
            and (sought.until is None or envelope.at < sought.until)
            and position > (sought.after or 0)
            and (sought.before is None or position < sought.before)
        ]


def envelope(number: int, actor: str = "user:1", correlation: str = "c", cause: str | None = None) -> Envelope:
    """Times go back now and then, as clocks of several processes do."""
    return Envelope(
        id=uuid4(),
        at=BEGAN + timedelta(seconds=number - 3 * (number % 7 == 0)),
        actor=actor,
        source="http" if actor.startswith("user") else "mqtt",
        correlation_id=correlation,
        causation_id=cause,
    )


def random_events(count: int, chance: random.Random) -> list[tuple[UUID, Event, Envelope]]:
    def event() -> Event:
        return chance.choice(
            [
                UserEnabled(),
                UserDisabled(reason="x" * chance.choice([1, 2_000])),
                DeviceRemoved(),
                SensorAdded(
                    device_id=chance.choice(STREAMS), name="t", type="temp", data_type_id=1, origin="discovery"
                ),
                # Which names sensors too, but not in a field of its own.
                ReadingsRecorded(
                    device_id=chance.choice(STREAMS),
                    readings=tuple(Reading(sensor_id=chance.choice(STREAMS), value=1.5) for _ in range(40)),
                ),
            ]
        )

    return [
        (chance.choice(STREAMS), event(), envelope(n, chance.choice(ACTORS), f"c{chance.randrange(40)}"))
        for n in range(count)
    ]


maybe = st.none()
soughts = st.builds(
    Sought,
    context=maybe | st.sampled_from(["identity", "devices", "metrics"]),
    aggregate=maybe | st.sampled_from(["identity.user", "devices.device", "devices.sensor"]),
    id=maybe | st.sampled_from(STREAMS),
    about=maybe | st.sampled_from(STREAMS),
    event=maybe | st.sampled_from(["identity.user.disabled", "devices.sensor.added"]),
    actor=maybe | st.sampled_from(ACTORS),
    source=maybe | st.sampled_from(["http", "mqtt", "websocket"]),
    correlation=maybe | st.sampled_from(["c1", "c7", "nobody"]),
    since=maybe | st.integers(-5, 600).map(lambda n: BEGAN + timedelta(seconds=n)),
    until=maybe | st.integers(-5, 600).map(lambda n: BEGAN + timedelta(seconds=n)),
    after=maybe | st.integers(0, 600),
    before=maybe | st.integers(1, 600),
)


async def everything(queries: TrailQueries, sought: Sought, limit: int, *, newest: bool) -> list[int]:
    """Page by page."""
    found: list[int] = []
    while True:
        page = await queries.search(sought, limit, newest=newest)
        assert len(page.rows) <= limit
        found += [row.position for row in page.rows]
        if page.next is None:
            return found
        turned = {"before": page.next} if newest else {"after": page.next}
        sought = msgspec.structs.replace(sought, **turned)


@pytest.mark.usefixtures("small_blocks")
async def test_every_search_finds_what_a_look_at_each_event_finds(
    database: Database, positions: Positions, database_url: str
) -> None:
    written = Written(database_url)
    chance = random.Random(8)
    queries = TrailQueries(database)
    cases: list[tuple[Sought, int, bool]] = []

    @settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
    @given(sought=soughts, limit=st.sampled_from([1, 3, 50]), newest=st.booleans())
    def draw(sought: Sought, limit: int, newest: bool) -> None:
        cases.append((sought, limit, newest))

    draw()
    async with running(database_url, (AuditTrail,)):
        for count in (0, 1, 40, 300, 200):  # within the first block, across some, and some more
            written.append(*random_events(count, chance))
            assert (await positions.fresh("trail")).fresh
            for sought, limit, newest in cases[:: 1 if count == 200 else 6]:
                expected = written.matching(sought)
                found = await everything(queries, sought, limit, newest=newest)
                assert found == (expected[::-1] if newest else expected), sought
    assert await database.fetch(b"SELECT count(*) FROM audit_blocks") == [(len(written.events) // BLOCK,)]


@pytest.mark.usefixtures("small_blocks")
async def test_a_worker_that_begins_within_a_block_knows_what_stood_before(
    database: Database, positions: Positions, database_url: str
) -> None:
    written = Written(database_url)
    chance = random.Random(9)
    for _ in range(5):
        async with running(database_url, (AuditTrail,)):
            written.append(*random_events(BLOCK // 2 + 5, chance))
            assert (await positions.fresh("trail")).fresh
    survived = await database.fetch(b"SELECT * FROM audit_keys ORDER BY key, block")
    async with PostgresLogReader(database_url, MAPPER) as reader:
        await rebuild(database_url, (AuditTrail,), reader)
    assert await database.fetch(b"SELECT * FROM audit_keys ORDER BY key, block") == survived
    for sought in (Sought(actor="user:2"), Sought(about=STREAMS[0]), Sought(correlation="c3")):
        assert await everything(TrailQueries(database), sought, 10, newest=False) == written.matching(sought)


@pytest.mark.usefixtures("small_blocks")
async def test_a_conversation_is_found_whether_it_has_one_event_or_several(
    database: Database, positions: Positions, database_url: str
) -> None:
    """Also where all of a block are alone."""
    written = Written(database_url)
    asked = [f"alone {n}" for n in range(2 * BLOCK)] + [f"c{n % 5}" if n % 3 else f"also {n}" for n in range(BLOCK)]
    written.append(*((STREAMS[0], UserEnabled(), envelope(n, correlation=one)) for n, one in enumerate(asked)))
    async with running(database_url, (AuditTrail,)):
        assert (await positions.fresh("trail")).fresh
        for one in set(asked):
            sought = Sought(correlation=one)
            assert await everything(TrailQueries(database), sought, 10, newest=False) == written.matching(sought)


async def test_the_audit_is_not_behind_the_log(database: Database, database_url: str) -> None:
    """Nobody keeps the index here."""
    written = Written(database_url)
    written.append(*random_events(50, random.Random(1)))
    assert len((await TrailQueries(database).search(Sought(), 100, newest=True)).rows) == 50


@given(st.sets(st.integers(0, trail.BLOCK - 1)))
def test_places_in_a_block_come_back_as_they_were(offsets: set[int]) -> None:
    assert unpacked(packed(sorted(offsets))) == sorted(offsets)


USER, DEVICE = UUID(int=77), UUID(int=78)


async def test_a_history_tells_what_each_event_made_different_and_nothing_private(
    database: Database, database_url: str
) -> None:
    written = Written(database_url)
    written.append(
        (USER, UserRegistered(person=PERSON, username="ada", password_hash="$secret$"), envelope(1)),
        (USER, UserDisabled(reason="left"), envelope(2)),
        (USER, UserEnabled(), envelope(3)),
    )
    queries = HistoryQueries(database, MAPPER.event)
    history = await queries.find("identity", USER, None, 10, newest=False)
    assert history is not None
    assert (history.aggregate, history.next) == ("identity.user", None)
    told = [msgspec.to_builtins(list(step.changes or ())) for step in history.steps]
    assert told == [
        [
            {"path": "person", "after": str(PERSON)},
            {"path": "username", "private": True},
            {"path": "password_hash", "private": True},
        ],
        [{"path": "disabled", "after": True}],
        [{"path": "disabled", "before": True}],
    ]
    newest = await queries.find("identity", USER, 3, 1, newest=True)
    assert newest is not None
    assert [step.row.version for step in newest.steps] == [2]
    assert [change.path for change in newest.steps[0].changes or ()] == ["disabled"]
    assert newest.next == 2
    assert await queries.find("devices", USER, None, 10, newest=False) is None
    assert await queries.find("identity", DEVICE, None, 10, newest=False) is None


def test_no_state_shows_what_is_private_in_an_event() -> None:
    """By the samples: what stands in their private fields is in some states, and in nothing that is shown of one."""
    held = set()
    for name, decider in DECIDERS.items():
        samples = [_sample(topic) for topic in CATALOGUE.by_topic if topic.startswith(f"{name}.")]
        stored = [msgspec.json.decode(msgspec.json.encode(event)) for event in samples]
        secrets = {
            text
            for event, fields in zip(samples, stored, strict=True)
            for field in event.withheld
            for text in _texts(fields.get(field))
        }
        state: State | None = None
        for event in samples:
            state, before = decider.evolve(state, event), state
            changes = str(msgspec.json.encode(differences(before, state, withheld_fields(name))), "utf-8")
            shown = str(msgspec.json.encode(public_fields(state, withheld_fields(name))), "utf-8")
            assert not [text for text in secrets if text in changes or text in shown], name
            held |= {name for text in secrets if text in str(msgspec.json.encode(state), "utf-8")}
    assert {"identity.user", "connectors.client"} <= held


def _sample(topic: str) -> Event:
    data = msgspec.json.decode(Path("tests/domain/samples", f"{topic}.json").read_bytes(), type=dict[str, msgspec.Raw])
    return CATALOGUE.decode(topic, data["data"])


def _texts(value: object) -> Iterator[str]:
    """Those that mean something."""
    if isinstance(value, str) and len(value) > 5:
        yield value
    elif isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _texts(one)


async def test_a_trace_is_one_tree_from_the_request_to_the_answer_of_the_device(
    database: Database, database_url: str
) -> None:
    written = Written(database_url)
    asked, other = uuid4(), uuid4()
    begun = envelope(2, correlation="ask")

    def issued(id: UUID) -> Event:
        return DeviceCommandIssued(device_id=DEVICE, command_id=id, kind="write", action="off", issued_at=BEGAN)

    written.append(
        (DEVICE, issued(other), envelope(1, correlation="unrelated")),
        (DEVICE, issued(asked), begun),
        (USER, UserEnabled(), envelope(3, correlation="ask", cause=str(begun.id))),
        (DEVICE, DeviceCommandAnswered(command_id=other, status="ok"), envelope(4, "device:1", "unrelated too", "m1")),
        (DEVICE, DeviceCommandAnswered(command_id=asked, status="ok"), envelope(5, "device:1", "answer", "m2")),
        (USER, UserDisabled(reason="because"), envelope(6, "device:1", "answer", "m2")),
    )
    trace = await TraceQueries(database, TrailQueries(database)).find("ask")
    assert trace is not None
    assert (trace.first.position, trace.events, trace.cut) == (2, 4, False)
    assert [_sketch(node) for node in trace.tree] == [(2, [(3, []), ("answer", [("m2", [(5, []), (6, [])])])])]
    assert await TraceQueries(database, TrailQueries(database)).find("nobody") is None


def _sketch(node: Node) -> tuple[int | str | None, list[object]]:
    name = node.row.position if node.row else node.cause or node.correlation
    return name, [_sketch(one) for one in node.caused]


async def test_a_search_that_finds_nothing_for_long_says_how_far_it_came(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trail_queries, "BUDGET_SECONDS", -1.0)
    written = Written(database_url)
    written.append(*random_events(30, random.Random(2)))
    page = await TrailQueries(database).search(Sought(actor="nobody"), 5, newest=False)
    assert (page.rows, page.next) == ([], 30)
