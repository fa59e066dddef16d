"""`tidemark query` and `analyse`: what they print and how they end."""

import json
import os
import signal
import subprocess
from pathlib import Path
from uuid import UUID

import pyarrow as pa
import pytest

from adapters.analytics.manifest import Manifest, write_manifest
from adapters.analytics.ready_made import ANALYSES
from entrypoints import analysing
from entrypoints.data_directory import DataDirectory
from tests.entrypoints.test_cli import tidemark
from tests.product import ROOT, TIDEMARK, descendants, descendants_running, environment
from tests.projections.history import append, discovered, measured, sensor_added
from tests.waiting import eventually

SUMS = "SELECT count(*) AS readings, sum(value) AS total FROM readings"
ENDLESS = "SELECT count(*) FROM range(1000000) a, range(1000000) b"


@pytest.fixture
def env(database_url: str) -> dict[str, str]:
    """Of a log of three readings."""
    append(database_url, discovered(), sensor_added(), measured((1.5, None), (2.5, None)), measured((3.0, None)))
    return {"TIDEMARK_DATABASE_URL": database_url, "TIDEMARK_MODE": "up"}


def test_an_answer_is_csv_elsewhere_than_on_a_terminal(env: dict[str, str]) -> None:
    result = tidemark("query", SUMS, env=env)
    assert (result.exit_code, result.output.splitlines()) == (0, ["readings,total", "3,7.0"])


def test_an_answer_comes_in_the_form_that_was_asked_for(env: dict[str, str]) -> None:
    told = json.loads(tidemark("query", SUMS, "--format", "json", env=env).output)
    assert (told["rows"], told["position"]) == ([[3, 7.0]], 4)
    assert tidemark("query", SUMS, "--format", "table", env=env).output == (
        "readings  total\n────────  ─────\n       3    7.0\n(1 row, up to position 4)\n"
    )


@pytest.mark.parametrize("ending", ["json", "csv", "arrow", "txt", "x"])
def test_an_answer_is_written_to_a_file_in_the_form_of_its_ending(
    env: dict[str, str], tmp_path: Path, ending: str
) -> None:
    file = tmp_path / f"answer.{ending}"
    result = tidemark("query", SUMS, "--output", str(file), env=env)
    assert (result.exit_code, result.output) == (0, f"{file}: 1 row, up to position 4.\n")
    written = file.read_bytes()
    if ending == "json":
        assert json.loads(written)["rows"] == [[3, 7.0]]
    elif ending == "arrow":
        assert pa.ipc.open_stream(written).read_all().to_pylist() == [{"readings": 3, "total": 7.0}]
    else:
        assert written.decode().splitlines()[0].split() == (
            ["readings", "total"] if ending == "txt" else ["readings,total"]
        )


def test_sql_may_come_from_standard_input(env: dict[str, str]) -> None:
    assert tidemark("query", "-", env=env, stdin=f"-- how many\n{SUMS}\n").output.splitlines()[1] == "3,7.0"
    assert tidemark("query", "-", env=env, stdin=b"\xff").exit_code == 2


def test_an_export_and_what_came_since_are_one_log(env: dict[str, str], tmp_path: Path) -> None:
    export = tmp_path / "export"
    refused = tidemark("query", SUMS, "--export", str(export), env=env)
    assert (refused.exit_code, f"There is no export in {export}" in refused.output) == (1, True)
    assert tidemark("export", "--output", str(export), env=env).exit_code == 0
    append(env["TIDEMARK_DATABASE_URL"], measured((3.0, None)))
    for how in ({"TIDEMARK_EXPORT_DIR": str(export)}, {"TIDEMARK_EXPORT_DIR": str(tmp_path / "none")}):
        assert tidemark("query", SUMS, env={**env, **how}).output.splitlines()[1] == "4,10.0"
    assert tidemark("query", SUMS, "--export", str(export), env=env).output.splitlines()[1] == "4,10.0"


def test_a_data_directory_has_an_export_of_its_own(env: dict[str, str], tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path)
    where = ("--data-dir", str(tmp_path))
    assert "Nothing runs on" in tidemark("query", SUMS, *where).output
    directory.say_running({"postgres": env["TIDEMARK_DATABASE_URL"]})
    assert tidemark("query", SUMS, *where).output.splitlines()[1] == "3,7.0"
    directory.export.mkdir()
    write_manifest(directory.export, Manifest(log=str(UUID(int=1))))
    refused = tidemark("query", SUMS, *where)
    assert (refused.exit_code, refused.output.startswith(f"{directory.export}: The export is of another log")) == (
        1,
        True,
    )
    elsewhere = tidemark("query", SUMS, *where, env={"TIDEMARK_EXPORT_DIR": str(tmp_path / "other")})
    assert elsewhere.exit_code == 0, elsewhere.output


@pytest.mark.parametrize(
    ("sql", "limit", "said"),
    [
        ("SELECT nothing FROM events", {}, 'column "nothing" not found'),
        ("DROP TABLE events", {}, "Ask one question"),
        ("SELECT * FROM read_text('/etc/passwd')", {}, "Permission Error"),
        ("SELECT * FROM range(11)", {"TIDEMARK_ANALYTICS_ROWS": "10"}, "There are more than 10 rows"),
        ("SELECT repeat('x', 9000)", {"TIDEMARK_ANALYTICS_SIZE": "1KB"}, "The answer is larger than"),
        ("SELECT list(range) FROM range(1000000000)", {"TIDEMARK_ANALYTICS_MEMORY": "64MB"}, "of memory"),
        (ENDLESS, {"TIDEMARK_ANALYTICS_TIMEOUT": "2s"}, "It took longer than 2 s"),
    ],
)
def test_a_question_that_is_not_answered_is_said_why(
    env: dict[str, str], sql: str, limit: dict[str, str], said: str
) -> None:
    result = tidemark("query", sql, env={**env, **limit})
    assert (result.exit_code, said in result.output) == (1, True), result.output


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SELEC 1", 'Parser Error: syntax error at or near "SELEC"\nLINE 1: SELEC 1\n        ^^^^^\n'),
        (
            "SELECT at FROM events",
            'Parser Error: syntax error at or near "FROM"\nLINE 1: SELECT at FROM events\n                  ^^^^\n'
            'Hint: write "at" in quotes, or with its table, as in events.at\n',
        ),
        (
            "SELECT position,\n\ttopik\nFROM events",
            'Binder Error: Referenced column "topik" not found in FROM clause!\n'
            'Candidate bindings: "topic", "at", "position", "causation_id", "correlation_id"\n'
            "LINE 2: topik\n        ^^^^^\n",
        ),
        (
            "SELECT * FROM event",
            'Catalog Error: Table with name event does not exist!\nDid you mean "events"?\n'
            "LINE 1: SELECT * FROM event\n                      ^^^^^\n",
        ),
        (
            "SELECT sum(topic) FROM events",
            "Binder Error: No function matches the given name and argument types 'sum(VARCHAR)'. "
            "You might need to add explicit type casts.\n"
            "LINE 1: SELECT sum(topic) FROM events\n               ^^^^^^^^^^\n",
        ),
        (
            "SELECT (SELECT range FROM range(2))",
            "Invalid Input Error: More than one row returned by a subquery used as an expression - "
            "scalar subqueries can only return a single row.\n",
        ),
        ("SELECT error(chr(27) || '[2J' || repeat('x', 9000))", f"Invalid Input Error: [2J{'x' * 375}…\n"),
        ("INSERT INTO events VALUES (1)", "Ask one question: a single SELECT, or EXPLAIN, DESCRIBE or SUMMARIZE\n"),
    ],
)
def test_what_is_wrong_with_the_sql_is_said_shortly_and_where(env: dict[str, str], sql: str, said: str) -> None:
    result = tidemark("query", sql, env=env)
    assert (result.exit_code, result.output) == (1, said)


def test_what_stands_in_the_way_is_said_in_a_sentence(
    env: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = {**env, "TIDEMARK_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}
    result = tidemark("query", SUMS, env=gone)
    assert (result.exit_code, result.output) == (1, "The database does not answer.\n")
    result = tidemark("query", SUMS, "--output", str(tmp_path / "none" / "file.csv"), env=env)
    assert (result.exit_code, "cannot be written" in result.output) == (1, True)
    (tmp_path / "manifest.json").write_text("{}")
    result = tidemark("query", SUMS, "--export", str(tmp_path), env=env)
    assert (result.exit_code, "manifest.json cannot be read" in result.output) == (1, True)
    monkeypatch.setattr(analysing, "LONGEST_TAIL", 2)
    result = tidemark("query", SUMS, env=env)
    assert (result.exit_code, "`tidemark export --output DIR`" in result.output) == (1, True)
    result = tidemark("query", SUMS, env={**env, "TIDEMARK_EXPORT_DIR": "behind"})
    assert (result.exit_code, "run `tidemark export --output behind`" in result.output) == (1, True)


def test_ctrl_c_ends_the_question_and_leaves_no_process(env: dict[str, str]) -> None:
    with subprocess.Popen(
        [*TIDEMARK, "query", ENDLESS],
        cwd=ROOT,
        env={**environment(), **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as asking:
        (sandbox,) = eventually(lambda: descendants(asking.pid), seconds=30)
        asking.send_signal(signal.SIGINT)
        told, said = asking.communicate(timeout=20)
    assert (asking.returncode, told, said.strip()) == (130, "", "Stopped.")
    assert not Path(f"/proc/{sandbox}").exists()


def test_a_process_that_ends_by_itself_is_said_so(env: dict[str, str]) -> None:
    with subprocess.Popen(
        [*TIDEMARK, "query", ENDLESS], cwd=ROOT, env={**environment(), **env}, stderr=subprocess.PIPE, text=True
    ) as asking:
        (sandbox,) = eventually(lambda: descendants_running("adapters.analytics.sandbox", asking.pid), seconds=30)
        os.kill(sandbox, signal.SIGKILL)
        _, said = asking.communicate(timeout=20)
    assert (asking.returncode, said) == (
        1,
        "Its process ended by itself (SIGKILL), probably because this machine is short of memory: try again shortly\n",
    )


def test_what_is_asked_again_and_again_is_listed_with_its_parameters() -> None:
    shown = tidemark("analyse")
    assert shown.exit_code == 0
    for name, analysis in ANALYSES.items():
        assert f"{name}: {analysis.about}\n" in shown.output
    assert "gap=…" in shown.output
    assert "without it 20" in shown.output
    told = json.loads(tidemark("analyse", "--format", "json").output)
    assert {one["name"] for one in told} == set(ANALYSES)
    assert all("SELECT" in one["sql"] for one in told)
    assert tidemark("analyse", "--format", "arrow").exit_code == 2


def test_an_analysis_takes_its_parameters_by_name(env: dict[str, str]) -> None:
    period = ("since=2026-01-14T00:00:00Z", "until=2026-01-15T00:00:00+00:00")
    result = tidemark("analyse", "busiest-actors", *period, "limit=1", env=env)
    assert result.exit_code == 0, result.output
    head, row = result.output.splitlines()
    assert dict(zip(head.split(","), row.split(","), strict=True))["actor"] == "system:test"
    table = tidemark("analyse", "reading-statistics", *period, "--format", "table", env=env).output
    assert table.endswith("(1 row, up to position 4)\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("weather",), "There is no analysis 'weather'; there are availability, "),
        (("availability", "device"), "'device' is no PARAMETER=VALUE."),
        (("availability", "device=x"), "`device` is a UUID."),
        (("availability", "since=yesterday"), "`since` is a time such as 2026-01-14T12:00:00Z."),
        (("availability", "colour=red"), "There is no parameter 'colour'; there are since, until, device."),
        (("busiest-actors", "limit=1", "limit=2"), "limit is given twice."),
    ],
)
def test_an_analysis_that_cannot_be_meant_is_said(arguments: tuple[str, ...], said: str) -> None:
    result = tidemark("analyse", *arguments)
    assert (result.exit_code, said in result.output) == (2, True), result.output
