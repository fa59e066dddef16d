"""`POST /write`: InfluxDB's line protocol."""

import gzip
import time

import pytest

from tests.conformance.metric_agents.agent import Agent


def test_fields_become_values_of_the_device_that_a_tag_names(agent: Agent) -> None:
    one, two = agent.device(), agent.device()
    answer = agent.lines(
        f"cpu,device={one} idle=98.5,user=2i {time.time_ns()}",
        f"weather,host={two},place=us\\ mid\\,west value=82",
        "# a comment",
        "",
        f'state,host={two} text="all \\"well\\", so = far",on=true,off=F',
    )
    assert (answer.status_code, answer.content) == (204, b"")
    assert int(answer.headers["tidemark-position"]) > 0
    assert agent.current(one) == {"cpu.idle": 98.5, "cpu.user": 2}
    assert agent.current(two) == {
        'weather{place="us mid,west"}': 82,
        "state.text": 'all "well", so = far',
        "state.on": 1,
        "state.off": 0,
    }


def test_a_tag_device_that_is_no_device_is_one_more_tag(agent: Agent) -> None:
    device = agent.device()
    assert agent.lines(f"disk,device=sda1,host={device} used=7i").status_code == 204
    assert agent.current(device) == {'disk.used{device="sda1"}': 7}


def test_each_bad_line_is_told_and_the_others_are_stored(agent: Agent) -> None:
    device = agent.device()
    answer = agent.lines(
        f"good,device={device} a=1",
        "no fields",
        f"good,device={device} b=x",
        "cpu,host=nobody idle=1",
        "cpu idle=1",
        f"good,device={device} c=3",
    )
    assert answer.status_code == 400
    told = answer.json()
    assert {one["line"]: one["error"] for one in told["lines"]} == {
        2: "bad field: fields",
        3: "bad number: x",
        4: "unknown device: nobody",
        5: "no tag names the device",
    }
    assert told["error"].startswith("partial write: line 2: ")
    assert told["error"].endswith("dropped=4")
    assert agent.current(device) == {"good.a": 1, "good.c": 3}


def test_nothing_of_a_refused_line_is_stored(agent: Agent) -> None:
    device = agent.device()
    assert agent.lines(f"m,device={device} a=1,b=oops").status_code == 400
    assert agent.current(device) == {}


@pytest.mark.parametrize(
    ("precision", "factor"), [("", 1e9), ("ns", 1e9), ("u", 1e6), ("ms", 1e3), ("s", 1), ("m", 1 / 60)]
)
def test_times_are_in_the_unit_that_is_told(agent: Agent, precision: str, factor: float) -> None:
    device = agent.device()
    old, new = int((time.time() - 400) * factor), int(time.time() * factor)
    answer = agent.lines(
        f"m,device={device} old=1 {old}", f"m,device={device} new=1 {new}", params={"precision": precision, "db": "x"}
    )
    assert [one["line"] for one in answer.json()["lines"]] == [1]
    assert agent.current(device) == {"m.new": 1}


def test_an_unknown_precision_is_refused(agent: Agent) -> None:
    assert agent.lines("m a=1", params={"precision": "d"}).status_code == 400


@pytest.mark.parametrize(
    "line",
    [
        "m",
        "m ",
        "m a",
        "m a=",
        "m a=1,",
        "m a=1 x",
        "m,x a=1",
        ",x=1 a=1",
        "m a=NaN",
        "m a=1e999",
        'm a="x',
        "m a=1 5 6",
    ],
)
def test_what_is_no_line_is_refused(agent: Agent, line: str) -> None:
    answer = agent.lines(line)
    assert answer.status_code == 400
    assert answer.json()["lines"][0]["line"] == 1
    assert not answer.json()["error"].startswith("partial write")


def test_a_body_may_be_compressed(agent: Agent) -> None:
    device = agent.device()
    body = gzip.compress(f"m,device={device} a=1\n".encode())
    headers = {"content-encoding": "gzip"}
    assert agent.metrics.post("/write", content=body, headers=headers).status_code == 204
    assert agent.current(device) == {"m.a": 1}
    assert agent.metrics.post("/write", content=body[:-4], headers=headers).status_code == 400
    bomb = gzip.compress(b"\n" * (17 * 1024 * 1024))
    assert agent.metrics.post("/write", content=bomb, headers=headers).status_code == 413
    assert agent.metrics.post("/write", content=b"", headers={"content-encoding": "br"}).status_code == 400


def test_it_takes_a_token(agent: Agent) -> None:
    assert agent.lines("m a=1", headers={"authorization": ""}).status_code == 401


def test_under_mrd_it_is_there_too(agent: Agent) -> None:
    device = agent.device()
    assert agent.api.post("/mrd/write", content=f"m,device={device} a=1".encode()).status_code == 204
