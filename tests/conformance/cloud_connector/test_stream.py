"""Contract 4.8: the live status."""

import time

import pytest

from tests.conformance.cloud_connector.client import METRICS, Connector, stream
from tests.conformance.cloud_connector.device import SocketDevice


def test_ss01_headers(mount: Connector) -> None:
    with stream(mount) as status:
        assert status.response.status_code == 200
        assert status.response.headers["content-type"] == "text/event-stream"
        assert status.response.headers["cache-control"] == "no-cache"
        assert status.response.headers["connection"] == "keep-alive"
        assert status.response.headers["x-accel-buffering"] == "no"


def test_ss02_headers_and_a_comment_come_before_any_event(connector: Connector) -> None:
    connector.status()  # the connection is there
    # The best of a few: 200 ms is short for a machine under load, and never less than a tick is what it must not be.
    fastest = 10.0
    for _ in range(5):
        started = time.monotonic()
        with stream(connector) as status:
            headers = time.monotonic() - started
            first = next(status.blocks())
            fastest = min(fastest, headers)
            assert len(first) == 1
            assert first[0].startswith(":")
    assert fastest < 0.2


def test_ss04_ss05_events_have_the_documented_form(mount: Connector, device: SocketDevice) -> None:
    """The form is checked as they are read."""
    with stream(mount) as status:
        seen = {}
        for event in status.events():
            seen[event["metric"]] = event["value"]
            if event["metric"] == "uptime":
                device.say("hello")
            if "received_messages" in seen:
                break
    assert all(value.isdigit() for value in seen.values())


def test_ss05_one_empty_line_ends_each(connector: Connector) -> None:
    text = b""
    with stream(connector) as status:
        for chunk in status.response.iter_bytes():
            text += chunk
            if text.count(b'"uptime"') >= 3:
                break
    assert b"\n\n\n" not in text
    assert b"\r" not in text
    assert text.endswith(b"\n\n")


@pytest.mark.timeout(200)
def test_ss07_ss08_a_quarter_of_a_minute_of_the_stream(connector: Connector) -> None:
    """Known metrics only, uptime with every tick, nothing about reconnecting at once, and a sign of life."""
    names, ticks, comments = set(), [], 0
    with stream(connector) as status:
        for block in status.blocks():
            assert not any(line.startswith(("retry", "id")) for line in block)
            comments += block[0].startswith(":")
            if not block[0].startswith(":"):
                names.add(block[1].split('"')[3])
                ticks += [time.monotonic()] if '"uptime"' in block[1] else []
            if comments >= 2:
                break
    assert names <= set(METRICS)
    # 15 s until the second comment, a tick each second; a tick is never left out, but may come late.
    assert 8 <= len(ticks) <= 40
    assert 5 <= ticks[-1] - ticks[0] <= 60


def test_only_changes_are_told(connector: Connector) -> None:
    with stream(connector) as status:
        uptimes: list[int] = []
        states = 0
        for event in status.events():
            states += event["metric"] == "server_current_state"
            if event["metric"] == "uptime":
                uptimes.append(int(event["value"]))
                if len(uptimes) == 4:
                    break
    assert states == 0
    assert uptimes == sorted(uptimes)


def test_ss14_a_new_subscriber_is_not_told_everything(connector: Connector) -> None:
    with stream(connector) as first:
        next(first.events())
        with stream(connector) as second:
            told = set()
            for event in second.events():
                told.add(event["metric"])
                if event["metric"] == "uptime":
                    break
    assert len(told) < len(METRICS) - 2


def test_HEAD_of_the_stream_ends(mount: Connector) -> None:
    answer = mount.request("HEAD", "/cloud-connector/status/stream")
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"] == "text/event-stream"


def test_many_subscribers_hear_the_same_tick(connector: Connector) -> None:
    with stream(connector) as one, stream(connector) as other:
        first = next(event for event in one.events() if event["metric"] == "uptime")
        told = []
        for event in other.events():
            if event["metric"] == "uptime":
                told.append(event["value"])
                if len(told) == 2:
                    break
    assert first["value"] in told
