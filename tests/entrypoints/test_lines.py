"""Bodies of many lines: which form they have, and where each line begins and ends."""

import msgspec
import pytest
from litestar.exceptions.http_exceptions import RequestEntityTooLarge

from application.executor import OutcomeUnknownError, Overloaded
from application.ports import LogUnavailableError
from domain.devices.device import DeviceNotFoundError
from domain.devices.readings import SensorUnknownError
from entrypoints.lambda_iot.errors import BadRequestError
from entrypoints.lambda_iot.lines import NDJSON, answer_lines, lines, refusal_text


def split(body: bytes, content_type: str = "", most: int = 10) -> tuple[str, list[bytes]]:
    form, items = lines(body, content_type, most)
    return form, [bytes(item) for item in items]


@pytest.mark.parametrize("content_type", ["", "application/json", "text/plain", "application/x-www-form-urlencoded"])
def test_the_first_character_says_what_a_body_is(content_type: str) -> None:
    assert split(b' \r\n[{"a": [1]}, 2]', content_type) == ("array", [b'{"a": [1]}', b"2"])
    assert split(b'\n{"a": 1}\r\n\r\n{"b"\n', content_type) == ("lines", [b'{"a": 1}\r', b'{"b"'])
    assert split(b"[]", content_type) == ("array", [])


@pytest.mark.parametrize("content_type", [NDJSON, "Application/X-NDJSON; charset=utf-8"])
def test_the_content_type_can_say_that_it_is_lines(content_type: str) -> None:
    assert split(b'[1]\n"x"\n  \nrubbish', content_type) == ("lines", [b"[1]", b'"x"', b"rubbish"])
    assert split(b"", content_type) == ("lines", [])


@pytest.mark.parametrize("body", [b"", b"  ", b"null", b"5", b'"x"', b"[1,", b"[1]]", b"[NaN]", b"[1][2]", b"[" * 9999])
def test_what_is_neither_is_refused_whole(body: bytes) -> None:
    with pytest.raises(BadRequestError, match="invalid request body"):
        lines(body, "application/json")


@pytest.mark.parametrize("body", [b"[" + b"1," * 10 + b"1]", b"{}\n" * 11])
def test_too_many_lines_are_too_large(body: bytes) -> None:
    with pytest.raises(RequestEntityTooLarge):
        lines(body, "", most=10)


def test_results_come_back_in_the_form_of_the_lines() -> None:
    results = [{"id": 1}, BadRequestError("invalid name")]
    array, ndjson = answer_lines("array", results, 7), answer_lines("lines", results, 7)
    assert array.content == b'{"results":[{"id":1},{"error":"invalid name"}]}'
    assert ndjson.content == b'{"id":1}\n{"error":"invalid name"}\n'
    assert (ndjson.media_type, ndjson.headers["Tidemark-Position"]) == (NDJSON, "7")
    assert answer_lines("lines", [], 7).content == b""


def test_a_line_is_told_what_a_request_of_its_own_would_be_told() -> None:
    assert refusal_text(SensorUnknownError("x")) == "sensor not found"
    assert refusal_text(DeviceNotFoundError("said so")) == "said so"


@pytest.mark.parametrize("fault", [LogUnavailableError("away"), Overloaded("full"), RuntimeError("a defect")])
def test_when_no_line_was_taken_for_a_reason_of_ours_the_whole_request_failed(fault: Exception) -> None:
    with pytest.raises(type(fault)):
        answer_lines("array", [BadRequestError("invalid name"), fault], 0)


def test_when_some_lines_were_taken_the_others_are_told_why_they_were_not() -> None:
    results = [{"id": 1}, LogUnavailableError("away"), OutcomeUnknownError("slow"), Overloaded("full")]
    _, away, slow, full = msgspec.json.decode(answer_lines("array", results, 7).content)["results"]
    assert "nothing was stored" in away["error"]
    assert "may still be stored" in slow["error"]
    assert "too busy" in full["error"]
