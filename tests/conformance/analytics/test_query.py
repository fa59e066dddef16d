"""SQL over the log of the running product."""

import csv
import io
import json
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import httpx
import pyarrow as pa
import pytest

from adapters.analytics.manifest import read_manifest
from tests.conformance.streams.client import fresh
from tests.product import Product, descendants_running
from tests.waiting import eventually

pytestmark = pytest.mark.xdist_group("questions")

ENDLESS = "SELECT count(*) FROM range(1000000) a, range(1000000) b"
SANDBOX = "adapters.analytics.sandbox"


def ask(client: httpx.Client, sql: str, **more: str) -> httpx.Response:
    return client.post("/analytics/query", json={"sql": sql, **more})


def produce(client: httpx.Client, topic: str, times: int) -> None:
    for number in range(times):
        client.post(f"/streams/v1/topic/{topic}/messages", content=b"%d" % number).raise_for_status()


def test_what_was_acknowledged_is_counted_in_the_next_question(analyst: httpx.Client) -> None:
    topic = fresh("topic")
    for times in range(1, 4):
        produce(analyst, topic, 1)
        answer = ask(analyst, f"SELECT count(*), sum(count) FROM messages WHERE name = '{topic}'")
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "application/json"
        told = answer.json()
        assert told["rows"] == [[times, times]]
        assert str(told["position"]) == answer.headers["tidemark-position"]


def test_an_export_changes_no_answer(analyst: httpx.Client, product: Product) -> None:
    topic = fresh("topic")
    produce(analyst, topic, 5)
    sql = f"SELECT count(*), count(DISTINCT position) FROM messages WHERE name = '{topic}'"
    before = ask(analyst, sql).json()["rows"]
    told = product.run("export", "--output", str(product.data_dir / "export"))
    assert "everything up to position" in told
    assert ask(analyst, sql).json()["rows"] == before == [[5, 5]]
    produce(analyst, topic, 2)
    assert ask(analyst, sql).json()["rows"] == [[7, 7]]
    assert list((product.data_dir / "export").glob("context=streams/day=*/*.parquet"))


def test_the_command_says_the_same_in_every_form(analyst: httpx.Client, product: Product, tmp_path: Path) -> None:
    topic, file = fresh("topic"), tmp_path / "answer.arrow"
    produce(analyst, topic, 3)
    sql = f"SELECT name, sum(count) AS messages FROM messages WHERE name = '{topic}' GROUP BY name"
    assert product.run("query", sql) == ask(analyst, sql, format="csv").text.replace("\r\n", "\n")
    told = json.loads(product.run("query", sql, "--format", "json"))
    assert told["rows"] == ask(analyst, sql).json()["rows"] == [[topic, 3]]
    product.run("query", sql, "--output", str(file))
    assert pa.ipc.open_stream(file.read_bytes()).read_all().to_pylist() == [{"name": topic, "messages": 3}]


def test_values_of_messages_stay_in_the_log(analyst: httpx.Client) -> None:
    topic, secret = fresh("topic"), uuid4().hex
    analyst.post(f"/streams/v1/topic/{topic}/messages", json={"secret": secret}).raise_for_status()
    found = ask(analyst, f"SELECT data FROM events WHERE data LIKE '%{topic}%'").json()["rows"]
    assert len(found) == 1
    assert "values" not in found[0][0]
    assert ask(analyst, f"SELECT count(*) FROM events WHERE data LIKE '%{secret}%'").json()["rows"] == [[0]]


@pytest.mark.parametrize("by_header", [False, True])
def test_answers_come_as_csv_and_as_arrow(analyst: httpx.Client, by_header: bool) -> None:
    def asked(format: str, type: str) -> httpx.Response:
        body = {"sql": "SELECT 1 AS one, 'a,b' AS text, NULL AS nothing"}
        if by_header:
            return analyst.post("/analytics/query", json=body, headers={"Accept": type})
        return analyst.post("/analytics/query", json={**body, "format": format})

    answer = asked("csv", "text/csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert list(csv.reader(io.StringIO(answer.text))) == [["one", "text", "nothing"], ["1", "a,b", ""]]
    answer = asked("arrow", "application/vnd.apache.arrow.stream")
    assert answer.headers["content-type"] == "application/vnd.apache.arrow.stream"
    assert pa.ipc.open_stream(answer.content).read_all().to_pylist() == [{"one": 1, "text": "a,b", "nothing": None}]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM read_text('{directory}/jwt-secret')",
        "SELECT * FROM read_text('{directory}/running.json')",
        "SELECT * FROM read_blob('/proc/self/environ')",
        "COPY (SELECT 1) TO '{directory}/export/out.csv'",
        "ATTACH '{directory}/export/other.db'",
        "INSTALL httpfs",
        "SELECT * FROM read_parquet('http://127.0.0.1:1/x')",
        "CREATE TABLE mine AS SELECT 1",
        "SET lock_configuration = false",
    ],
)
def test_what_is_no_question_is_refused(analyst: httpx.Client, product: Product, sql: str) -> None:
    answer = ask(analyst, sql.format(directory=product.data_dir))
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_sql")
    assert not [path for path in Path(product.data_dir / "export").glob("*") if path.name in ("out.csv", "other.db")]


def test_what_is_wrong_with_the_sql_is_said_in_duckdbs_words(analyst: httpx.Client) -> None:
    answer = ask(analyst, "SELECT nothing FROM events")
    assert answer.status_code == 400
    assert 'column "nothing" not found' in answer.json()["message"]


@pytest.mark.parametrize(
    "body", [b"", b"SELECT 1", b"[]", b"{}", b'{"sql": 1}', b'{"sql": "SELECT 1", "more": 1}', b'{"sql": "\xff"}']
)
def test_a_body_that_is_none_is_refused(analyst: httpx.Client, body: bytes) -> None:
    answer = analyst.post("/analytics/query", content=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")


def test_an_unknown_format_is_refused(analyst: httpx.Client) -> None:
    assert ask(analyst, "SELECT 1", format="xml").status_code == 400


def test_too_many_rows_are_refused(analyst: httpx.Client) -> None:
    answer = ask(analyst, "SELECT * FROM range(100001)")
    assert (answer.status_code, answer.json()["code"]) == (422, "too_large")
    assert "100000 rows" in answer.json()["message"]


def test_too_much_memory_is_refused(analyst: httpx.Client) -> None:
    answer = ask(analyst, "SELECT list(range) FROM range(1000000000)")
    assert (answer.status_code, answer.json()["code"]) == (422, "too_large")


def test_a_process_that_ends_by_itself_is_said_so(analyst: httpx.Client, product: Product) -> None:
    with ThreadPoolExecutor() as aside:
        asked = aside.submit(ask, analyst, ENDLESS)
        for pid in eventually(lambda: descendants_running(SANDBOX, product.pid)):
            os.kill(pid, signal.SIGKILL)
        answer = asked.result(timeout=20)
    assert (answer.status_code, answer.json()["code"]) == (503, "not_answered")
    assert "ended by itself (SIGKILL)" in answer.json()["message"]


def test_a_body_that_is_too_large_is_refused(analyst: httpx.Client) -> None:
    assert ask(analyst, "SELECT 1 --" + "x" * 300_000).status_code == 413


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """Waits for no question long, and exports all the time."""
    environment = {"TIDEMARK_ANALYTICS_TIMEOUT": "3s", "TIDEMARK_EXPORT_EVERY": "1s"}
    with Product(tmp_path_factory.mktemp("hasty"), environment=environment) as running:
        yield running


@pytest.fixture(scope="module")
def in_haste(hasty: Product) -> Iterator[httpx.Client]:
    token = hasty.run("token", "--subject", "analyst", "--scope", "analytics.read").split()[-1]
    with httpx.Client(
        base_url=hasty.api, headers={"Authorization": f"Bearer {token}"}, timeout=60, trust_env=False
    ) as client:
        yield client


def test_a_question_that_takes_too_long_is_ended(in_haste: httpx.Client) -> None:
    answer = ask(in_haste, ENDLESS)
    assert (answer.status_code, answer.json()["code"]) == (408, "too_slow")


def test_who_hangs_up_is_not_waited_for(hasty: Product, in_haste: httpx.Client) -> None:
    with pytest.raises(httpx.ReadTimeout):
        in_haste.post("/analytics/query", json={"sql": ENDLESS}, timeout=1)
    eventually(lambda: not descendants_running(SANDBOX, hasty.pid))


def test_the_worker_keeps_an_export_up(hasty: Product, in_haste: httpx.Client) -> None:
    topic = fresh("topic")
    produce(in_haste, topic, 3)
    position = ask(in_haste, "SELECT max(position) FROM events").json()["rows"][0][0]

    def is_exported() -> bool:
        manifest = read_manifest(hasty.data_dir / "export")
        return manifest is not None and manifest.position >= position

    eventually(is_exported, seconds=30)
    assert ask(in_haste, f"SELECT count(*) FROM messages WHERE name = '{topic}'").json()["rows"] == [[3]]
