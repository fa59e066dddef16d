"""A log line is structured, carries the correlation id, and never a secret."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from entrypoints import correlation
from entrypoints.logs import configure_logs
from entrypoints.redaction import BLACKENED, redacted, redacted_text


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What is logged, as JSON. Puts the logging of the test run back afterwards."""
    root = logging.getLogger()
    handlers, level, raising = root.handlers[:], root.level, logging.raiseExceptions
    stream = io.StringIO()
    configure_logs("api", "debug", "json", stream)
    yield stream
    root.handlers, logging.raiseExceptions = handlers, raising
    root.setLevel(level)
    structlog.reset_defaults()


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_every_line_says_who_when_and_in_which_conversation(log: io.StringIO) -> None:
    correlation.begin("abc-1")
    logging.getLogger("tidemark.devices").info("heard of %s", "a device")
    structlog.get_logger("tidemark.mqtt").warning("left out", reason="malformed")
    first, second = lines(log)
    assert (first["event"], first["correlation_id"], first["process"]) == ("heard of a device", "abc-1", "api")
    assert first["timestamp"].endswith("Z")
    assert (second["event"], second["reason"], second["level"]) == ("left out", "malformed", "warning")


@pytest.mark.parametrize("name", ["uvicorn.error", "nats.aio.client", "aiomqtt", "alembic.runtime", "mqtt"])
def test_libraries_write_the_same_lines(log: io.StringIO, name: str) -> None:
    logging.getLogger(name).info("of interest to its author")
    logging.getLogger(name).warning("of interest to us")
    assert [line["event"] for line in lines(log)] == ["of interest to us"]


def test_an_exception_is_in_its_line_without_the_password_in_it(log: io.StringIO) -> None:
    try:
        raise ConnectionError("cannot reach postgresql://tidemark:hunter2@db/tidemark")
    except ConnectionError:
        logging.getLogger("tidemark").exception("failed with %s", {"password": "hunter2"})
    (line,) = lines(log)
    assert "ConnectionError" in line["exception"]
    assert "hunter2" not in log.getvalue()


def test_a_human_reads_a_line_without_secrets_too() -> None:
    stream = io.StringIO()
    root = logging.getLogger()
    handlers = root.handlers[:]
    configure_logs("api", "info", "human", stream)
    logging.getLogger("tidemark").warning("Authorization: Bearer abcdefghijkl")
    root.handlers = handlers
    assert "abcdefghijkl" not in stream.getvalue()
    assert BLACKENED in stream.getvalue()


@pytest.mark.parametrize(
    "name",
    ["password", "db_password", "jwt_secret", "token", "Authorization", "password_hash", "api-key", "Cookie"],
)
def test_what_is_called_a_secret_is_blackened(name: str) -> None:
    assert redacted({name: "hunter2", "at": {"deep": [{name: "hunter2"}]}}) == {
        name: BLACKENED,
        "at": {"deep": [{name: BLACKENED}]},
    }


@pytest.mark.parametrize(
    "text",
    [
        "nats://user:hunter2@nats:4222",
        "two postgresql://hunter2@db/x and more",
        "Bearer hunter2hunter2",
        "{'password': 'hunter2'}",
        '{"password_hash":"hunter2"}',
        "password=hunter2 host=db",
        "hash $argon2id$v=19$m=19456,t=2,p=1$hunter2$hunter2",
        "eyJhbGciOiJIUzI1NiJ9.hunter2.hunter2",
    ],
)
def test_what_looks_like_a_secret_is_blackened(text: str) -> None:
    assert "hunter2" not in redacted_text(text)
    assert BLACKENED in redacted_text(text)


@pytest.mark.parametrize("text", ["GET /devices/1 → 200 in 1.2 ms", "http://127.0.0.1:8080/health", "at 12:30 by a@b"])
def test_other_texts_stay(text: str) -> None:
    assert redacted_text(text) == text


@pytest.mark.parametrize("given", ["", "a b", "x" * 65, "line\nbreak", "<script>", None])
def test_a_correlation_id_that_is_not_safe_is_replaced(given: str | None) -> None:
    assert correlation.begin(given) != given
    assert len(correlation.current()) == 32
