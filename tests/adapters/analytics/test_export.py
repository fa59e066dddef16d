"""An export holds exactly what the log shows, however often it is interrupted."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4, uuid5

import psycopg
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.analytics import export as exporting
from adapters.analytics.export import MANY, AnotherLogError
from adapters.analytics.manifest import NAME, Manifest, UnreadableManifestError, read_manifest
from adapters.analytics.tables import TYPED_TOPICS
from adapters.embedded.directory import DirectoryLock
from adapters.embedded.errors import DirectoryInUseError
from application.ports import LogUnavailableError
from domain.catalogue import CATALOGUE
from domain.devices.device import DeviceConnected, DeviceRemoved
from domain.devices.readings import Reading, ReadingsRecorded
from domain.event import Event
from domain.metrics.report import Report
from domain.metrics.reports import MetricsReported
from tests.adapters.analytics.history import (
    HOUSE,
    NOON,
    TOPICS,
    Fact,
    append,
    append_stored,
    as_shown,
    export,
    exported,
    log_as_shown,
    sampled,
)
from tests.product import ROOT, Program, environment, run_tidemark
from tests.waiting import eventually

PROGRAM = """
import asyncio, sys
from pathlib import Path
from tests.adapters.analytics.history import export
asyncio.run(export(sys.argv[1], Path(sys.argv[2]), events_at_once=10_000))
"""


def files_in(directory: Path) -> set[str]:
    return {found.relative_to(directory).as_posix() for found in directory.glob("*/*/*")}


def kill_an_export(url: str, directory: Path, files: int) -> None:
    """When so many files are there."""
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, url, str(directory)], cwd=ROOT, env=environment())
    try:
        eventually(lambda: len(files_in(directory)) >= files)
    finally:
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL


async def test_every_kind_of_event_is_exported_as_the_log_shows_it(database_url: str, tmp_path: Path) -> None:
    append_stored(database_url, [sampled(topic, number) for number, topic in enumerate(TOPICS)])
    manifest = await export(database_url, tmp_path)
    assert manifest.position == len(TOPICS)
    assert [as_shown(row) for row in exported(tmp_path)] == await log_as_shown(database_url)


async def test_no_private_field_is_in_any_file(database_url: str, tmp_path: Path) -> None:
    append_stored(database_url, [sampled(topic, number) for number, topic in enumerate(TOPICS)])
    await export(database_url, tmp_path)
    rows = {row["topic"]: json.loads(row["data"]) for row in exported(tmp_path)}
    kept_back = [(topic, field) for topic, event in CATALOGUE.by_topic.items() for field in event.private]
    assert kept_back
    assert not [(topic, field) for topic, field in kept_back if field in rows[topic]]


async def test_an_event_that_nobody_knows_is_exported_without_its_data(database_url: str, tmp_path: Path) -> None:
    aggregate_id, _, state = sampled(TOPICS[0], 0)
    append_stored(database_url, [(aggregate_id, "devices.device.sold.v9", state)])
    await export(database_url, tmp_path)
    (row,) = exported(tmp_path)
    assert (row["topic"], row["data"]) == ("devices.device.sold.v9", "null")


async def test_files_lie_by_context_and_day(database_url: str, tmp_path: Path) -> None:
    append_stored(
        database_url,
        [
            sampled("devices.sensor.retired.v1", 0),
            sampled("devices.sensor.retired.v1", 1, hours=12),
            sampled("identity.user.registered.v1", 2),
            sampled("devices.readings.recorded.v1", 3),
        ],
    )
    await export(database_url, tmp_path)
    assert {str(Path(path).parent) for path in files_in(tmp_path)} == {
        "context=devices/day=2026-01-14",
        "context=devices/day=2026-01-15",
        "context=identity/day=2026-01-14",
        "telemetry=readings/day=2026-01-14",
    }


async def test_telemetry_is_typed(database_url: str, tmp_path: Path) -> None:
    sensor = uuid5(HOUSE, "sensor")
    readings = (Reading(sensor_id=sensor, value=1.5, value_at=NOON), Reading(sensor_id=sensor, value=2))
    reports = tuple(
        Report(name=name, value=value, units="", type=type, slope="both", ttl=60)  # type: ignore[arg-type]  # a parameter
        for name, value, type in (("load", 0.5, "float"), ("os", "Linux", "string"))
    )
    append(
        database_url,
        Fact(60, uuid4(), ReadingsRecorded(device_id=HOUSE, readings=readings)),
        Fact(61, uuid4(), MetricsReported(device_id=HOUSE, reports=reports)),
        Fact(62, HOUSE, DeviceConnected(through="mqtt")),
        Fact(63, HOUSE, DeviceRemoved()),
    )
    await export(database_url, tmp_path)
    first, second = exported(tmp_path, "readings")
    assert (first["reading_id"], first["value"], first["value_at"]) == (1024, 1.5, NOON)
    assert (second["reading_id"], second["value"], second["value_at"]) == (1025, 2.0, second["at"])
    assert {(row["device_id"], row["sensor_id"]) for row in (first, second)} == {(str(HOUSE), str(sensor))}
    assert [(row["name"], row["value"], row["text"]) for row in exported(tmp_path, "metrics")] == [
        ("load", 0.5, None),
        ("os", None, "Linux"),
    ]
    assert [(row["is_there"], row["through"], row["reason"]) for row in exported(tmp_path, "presence")] == [
        (True, "mqtt", None),
        (False, None, "removed"),
    ]


async def test_rows_of_several_kinds_of_event_are_in_the_order_of_the_log(database_url: str, tmp_path: Path) -> None:
    events = [DeviceConnected(through="mqtt"), DeviceRemoved()] * 3
    append(database_url, *(Fact(60 + number, HOUSE, event) for number, event in enumerate(events)))
    for file in (await export(database_url, tmp_path)).files:
        assert pq.ParquetFile(tmp_path / file.path).read(["position"])["position"].to_pylist() == [1, 2, 3, 4, 5, 6]


async def test_an_event_without_readings_makes_no_row_of_them(database_url: str, tmp_path: Path) -> None:
    append(database_url, Fact(60, uuid4(), ReadingsRecorded(device_id=HOUSE, readings=())))
    manifest = await export(database_url, tmp_path)
    assert [(file.table, file.rows) for file in manifest.files] == [("events", 1)]


def test_what_is_typed_is_in_its_present_shape() -> None:
    """A superseded event has to be taken out of the tables, or brought up to date in them."""
    for topic in TYPED_TOPICS:
        assert CATALOGUE.by_topic[topic].upcast is Event.upcast


async def test_a_further_export_adds_what_came_since(database_url: str, tmp_path: Path) -> None:
    append_stored(database_url, [sampled(topic, number) for number, topic in enumerate(TOPICS)])
    await export(database_url, tmp_path)
    before = files_in(tmp_path)
    assert (await export(database_url, tmp_path)).position == len(TOPICS)
    assert files_in(tmp_path) == before
    append_stored(database_url, [sampled(topic, 1_000 + number) for number, topic in enumerate(TOPICS)])
    await export(database_url, tmp_path)
    assert before < files_in(tmp_path)
    assert [as_shown(row) for row in exported(tmp_path)] == await log_as_shown(database_url)


async def test_many_small_files_become_one(database_url: str, tmp_path: Path) -> None:
    for number in range(MANY):
        append_stored(database_url, [sampled("devices.sensor.retired.v1", number)])
        await export(database_url, tmp_path)
    assert files_in(tmp_path) == {f"context=devices/day=2026-01-14/{1:012}-{MANY:012}.parquet"}
    assert [as_shown(row) for row in exported(tmp_path)] == await log_as_shown(database_url)


async def test_a_small_file_with_no_room_for_it_in_the_others_stays(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "MANY", 4)
    for number in range(4):
        append(database_url, Fact(number, HOUSE, DeviceConnected(through=f"road {number}")))
        if number == 2:
            sizes = [file.bytes for file in (read_manifest(tmp_path) or Manifest(log="")).files]
            monkeypatch.setattr(exporting, "LARGE", 3 * max(sizes) + 100)
        manifest = await export(database_url, tmp_path)
    assert [(file.first, file.last) for file in manifest.files if file.table == "events"] == [(1, 3), (4, 4)]
    assert files_in(tmp_path) == {file.path for file in manifest.files}
    assert [as_shown(row) for row in exported(tmp_path)] == await log_as_shown(database_url)


@pytest.mark.parametrize("gone", range(3))
async def test_what_somebody_removed_is_exported_again(
    database_url: str, tmp_path: Path, gone: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "MANY", 3)
    for number in range(5):  # in two folders; those of the devices are merged after the third
        events: list[Event] = [DeviceConnected(through="road")]
        if number % 2:
            reading = Reading(sensor_id=HOUSE, value=float(number))
            events.append(ReadingsRecorded(device_id=HOUSE, readings=(reading,)))
        append(database_url, *(Fact(number, uuid5(HOUSE, event.topic), event) for event in events))
        whole = await export(database_url, tmp_path)
    (tmp_path / whole.files[gone].path).unlink()
    again = await export(database_url, tmp_path)
    assert again.position == whole.position
    assert files_in(tmp_path) == {file.path for file in again.files}
    assert [as_shown(row) for row in exported(tmp_path)] == await log_as_shown(database_url)


@given(runs=st.lists(st.lists(st.tuples(st.sampled_from(TOPICS), st.integers(0, 72)), max_size=40), max_size=4))
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_whatever_happens_between_exports_they_equal_the_log(
    make_database: Callable[[], str], tmp_path: Path, runs: list[list[tuple[str, int]]]
) -> None:
    url, directory, number = make_database(), tmp_path / uuid4().hex, 0
    for run in runs:
        append_stored(url, [sampled(topic, number + index, hours) for index, (topic, hours) in enumerate(run)])
        number += len(run)
        asyncio.run(export(url, directory, events_at_once=15))
    asyncio.run(export(url, directory))
    assert [as_shown(row) for row in exported(directory)] == asyncio.run(log_as_shown(url)) if number else True


async def test_an_export_that_is_killed_goes_on_without_gaps_and_repetitions(database_url: str, tmp_path: Path) -> None:
    append_stored(database_url, [sampled("devices.readings.recorded.v1", n, n // 20_000) for n in range(60_000)])
    for files in (2, 6):
        await asyncio.to_thread(kill_an_export, database_url, tmp_path, files)
        manifest = read_manifest(tmp_path)
        assert manifest is None or manifest.position < 60_000
    manifest = await export(database_url, tmp_path)
    assert files_in(tmp_path) == {file.path for file in manifest.files}
    assert [row["position"] for row in exported(tmp_path)] == list(range(1, 60_001))
    assert len(exported(tmp_path, "readings")) % 60_000 == 0


def test_ctrl_c_ends_an_export_in_order(database_url: str, tmp_path: Path) -> None:
    append_stored(database_url, [sampled("devices.readings.recorded.v1", n) for n in range(60_000)])
    output = tmp_path / "out.txt"
    program = Program(["export", "--output", str(tmp_path / "export")], output, {"TIDEMARK_DATABASE_URL": database_url})
    program.start()
    program.wait_until((tmp_path / "export" / "lock").exists)
    os.kill(program.pid, signal.SIGINT)
    eventually(lambda: not program.is_alive)
    assert "Stopped; what was exported counts" in program.log()
    told = run_tidemark("export", "--output", str(tmp_path / "export"), env={"TIDEMARK_DATABASE_URL": database_url})
    assert "everything up to position 60000" in told


async def test_what_an_interrupted_run_left_is_removed(database_url: str, tmp_path: Path) -> None:
    append_stored(database_url, [sampled(TOPICS[0], 0)])
    left = tmp_path / "context=devices" / "day=2026-01-14"
    left.mkdir(parents=True)
    for name in (f"{1:012}-{9:012}.parquet", f"{1:012}-{9:012}.under-way"):
        (left / name).write_bytes(b"half")
    await export(database_url, tmp_path)
    assert list(left.iterdir()) == []


async def test_the_export_of_another_log_is_left_alone(make_database: Callable[[], str], tmp_path: Path) -> None:
    one, url = make_database(), make_database()
    for log in (one, url):
        append_stored(log, [sampled(TOPICS[0], 0)])
    await export(one, tmp_path)
    with pytest.raises(AnotherLogError):
        await export(url, tmp_path)


async def test_a_log_that_was_set_back_is_not_exported_over_what_it_was(database_url: str, tmp_path: Path) -> None:
    append_stored(database_url, [sampled(TOPICS[0], number) for number in range(9)])
    await export(database_url, tmp_path)
    with psycopg.connect(database_url) as connection:
        connection.execute("DELETE FROM events WHERE notification_id > 5")
    with pytest.raises(AnotherLogError):
        await export(database_url, tmp_path)


async def test_a_database_that_is_away_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(LogUnavailableError):
        await export("postgresql://nobody@127.0.0.1:1/nothing", tmp_path)


async def test_one_export_at_a_time(database_url: str, tmp_path: Path) -> None:
    lock = DirectoryLock(tmp_path)
    lock.acquire()
    with pytest.raises(DirectoryInUseError):
        await export(database_url, tmp_path)
    lock.release()


async def test_a_damaged_manifest_is_said_so(database_url: str, tmp_path: Path) -> None:
    (tmp_path / NAME).write_text("{")
    with pytest.raises(UnreadableManifestError):
        await export(database_url, tmp_path)
