"""`POST /api/v1/write`: Prometheus remote write 1.0."""

import math

import cramjam
import pytest

from tests.conformance.metric_agents.agent import Agent, field, now, report, series, stale_mark


def test_samples_become_values_of_the_device_that_a_label_names(agent: Agent) -> None:
    one, two = agent.device(), agent.device()
    answer = agent.write(
        series({"__name__": "node_load1", "device": one}, (0.5, now())),
        series({"__name__": "node_load1", "instance": two}, (0.25, now() - 10), (0.75, now())),
    )
    assert (answer.status_code, answer.content) == (204, b"")
    assert int(answer.headers["tidemark-position"]) > 0
    assert agent.current(one) == {"node_load1": 0.5}
    assert agent.current(two) == {"node_load1": 0.75}


def test_other_labels_stay_in_the_name(agent: Agent) -> None:
    device = agent.device()
    labels = {"__name__": "node_cpu_seconds_total", "cpu": "0", "instance": device, "job": "node", "mode": 'i"dle'}
    assert agent.write(series(labels, (1, now()))).status_code == 204
    assert agent.current(device) == {'node_cpu_seconds_total{cpu="0",mode="i\\"dle"}': 1}


def test_the_port_of_an_instance_may_be_left_away_and_the_job_then_tells_exporters_apart(agent: Agent) -> None:
    device = agent.device()
    up = [
        series({"__name__": "up", "instance": f"{device}:{port}", "job": job}, (port, now()))
        for port, job in ((9100, "node"), (9256, "process"))
    ]
    assert agent.write(*up).status_code == 204
    assert agent.current(device) == {'up{job="node"}': 9100, 'up{job="process"}': 9256}


def test_a_label_device_that_is_no_device_is_one_more_label(agent: Agent) -> None:
    device = agent.device()
    labels = {"__name__": "node_disk_io_now", "device": "sda", "instance": device}
    assert agent.write(series(labels, (2, now()))).status_code == 204
    assert agent.current(device) == {'node_disk_io_now{device="sda"}': 2}


def test_unknown_devices_are_counted_and_the_others_recorded(agent: Agent) -> None:
    device = agent.device()
    answer = agent.write(
        series({"__name__": "x", "device": device}, (1, now())),
        series({"__name__": "x", "device": "nobody"}, (1, now()), (2, now())),
        series({"__name__": "x"}, (1, now())),
    )
    assert answer.status_code == 200
    told = answer.json()
    assert told["recorded"] == 1
    assert told["left_out"]["unknown_device"] == 3
    assert told["unknown_devices"] == ["", "nobody"]
    assert agent.current(device) == {"x": 1}
    page = agent.api.get("/metrics").text
    (line,) = [line for line in page.splitlines() if 'form="remote_write",outcome="unknown_device"' in line]
    assert float(line.split()[-1]) >= 3


def test_when_no_device_is_known_the_agent_is_told_so(agent: Agent) -> None:
    answer = agent.write(series({"__name__": "x", "device": "nobody"}, (1, now())))
    assert answer.status_code == 400
    assert "unknown: nobody" in answer.json()["errors"][0]["detail"]


def test_a_mark_of_staleness_and_what_is_no_number_are_left_out(agent: Agent) -> None:
    device = agent.device()
    answer = agent.write(
        stale_mark({"__name__": "gone", "device": device}),
        series({"__name__": "empty", "device": device}, (math.nan, now()), (math.inf, now())),
        series({"__name__": "x", "device": device}, (1, now())),
    )
    assert answer.status_code == 200
    counts = answer.json()["left_out"]
    assert (counts["stale"], counts["not_finite"]) == (1, 2)
    assert agent.current(device) == {"x": 1}


def test_samples_that_have_expired_are_left_out(agent: Agent) -> None:
    device = agent.device()
    answer = agent.write(series({"__name__": "x", "device": device}, (1, now() - 301), (2, now() - 200)))
    assert answer.json()["left_out"]["late"] == 1
    assert agent.current(device) == {"x": 2}


def test_series_without_a_name_or_with_a_label_twice_are_invalid(agent: Agent) -> None:
    device = agent.device()
    answer = agent.write(
        series({"device": device}, (1, now())),
        series([("__name__", "x"), ("a", "1"), ("a", "2"), ("device", device)], (1, now())),
        series({"__name__": "y", "device": device}, (1, now())),
    )
    assert answer.status_code == 400
    assert "1 samples recorded, left out: 2 invalid" in answer.json()["errors"][0]["detail"]
    assert agent.current(device) == {"y": 1}


def test_nothing_is_written_with_success(agent: Agent) -> None:
    assert agent.write().status_code == 204


@pytest.mark.parametrize(
    "body",
    [
        b"not snappy at all",
        bytes(cramjam.snappy.compress_raw(b"\xff\xff\xff not protobuf")),
        bytes(cramjam.snappy.compress_raw(field(1, field(1, field(1, b"\xff\xfe"))))),
        bytes(cramjam.snappy.compress(b"in snappy's format for streams")),
    ],
)
def test_what_cannot_be_read_is_refused(agent: Agent, body: bytes) -> None:
    answer = agent.write_body(body)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["title"] == "Bad Request"


def test_a_body_that_would_become_too_large_is_never_decompressed(agent: Agent) -> None:
    assert agent.write_body(b"\xff\xff\xff\xff\x0f" + b"\x00" * 10).status_code == 413
    bomb = bytes(cramjam.snappy.compress_raw(b"\x00" * (9 * 1024 * 1024)))
    assert len(bomb) < 512 * 1024
    assert agent.write_body(bomb).status_code == 413


def test_other_versions_and_encodings_are_told_apart(agent: Agent) -> None:
    second = agent.write_body(b"", content_type="application/x-protobuf;proto=io.prometheus.write.v2.Request")
    assert second.status_code == 415
    assert agent.write_body(b"", content_encoding="zstd").status_code == 415


def test_it_takes_a_token(agent: Agent) -> None:
    answer = agent.write_body(b"", authorization="")
    assert answer.status_code == 401


def test_under_mrd_it_is_there_too(agent: Agent) -> None:
    device = agent.device()
    body = bytes(cramjam.snappy.compress_raw(field(1, series({"__name__": "x", "device": device}, (1, now())))))
    assert agent.api.post("/mrd/api/v1/write", content=body).status_code == 204


def test_what_came_by_remote_write_stands_beside_what_was_put(agent: Agent) -> None:
    device = agent.device()
    agent.metrics.put("/metrics", json=[report(device, name="x", type="int8", value=4)])
    agent.write(series({"__name__": "x", "device": device}, (5, now())))
    assert agent.current(device) == {"x": 5}


def test_ten_thousand_samples_are_recorded(agent: Agent) -> None:
    device = agent.device()
    many = [series({"__name__": f"m{number}", "device": device}, (number, now())) for number in range(10_000)]
    assert agent.write(*many).status_code == 204
    assert agent.current(device) == {f"m{number}": number for number in range(10_000)}
