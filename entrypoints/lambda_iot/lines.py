"""Many things in one body: a JSON array, or NDJSON, which is a JSON value on each line.

Every line is taken or refused on its own, and the results come back in the order and in the form of the lines.
"""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import msgspec
from litestar import Response
from litestar.exceptions.http_exceptions import RequestEntityTooLarge

from application.executor import CommandConflictError, OutcomeUnknownError, Overloaded
from application.ports import LogUnavailableError
from domain.devices.readings import SensorUnknownError
from domain.errors import AlreadyExistsError, DomainError
from entrypoints.lambda_iot.errors import BUSY, JSON, OUTCOME_UNKNOWN, UNAVAILABLE, BadRequestError

NDJSON = "application/x-ndjson"
LARGEST_BODY = 16 * 1024 * 1024
MOST_LINES = 10_000

Form = Literal["array", "lines"]
Line = bytes | msgspec.Raw

_encoder = msgspec.json.Encoder()
_elements = msgspec.json.Decoder(list[msgspec.Raw])


class Lines(NamedTuple):
    """The lines of a body, each still JSON. Only an array has been looked into so far, to find where each begins."""

    form: Form
    items: Sequence[Line]


def lines(body: bytes, content_type: str, most: int = MOST_LINES) -> Lines:
    """The body's lines: NDJSON when the content type says so, else what its first character says. Blank lines of
    NDJSON are none.

    Raises BadRequestError for what is neither, and answers 413 for more than `most` lines.
    """
    form = _form(body, content_type)
    items = _array(body) if form == "array" else [line for line in body.split(b"\n") if line.strip()]
    if len(items) > most:
        raise RequestEntityTooLarge
    return Lines(form, items)


def answer_lines(form: Form, results: Sequence[Any], position: int) -> Response[bytes]:
    """200 with a result for every line; those that are exceptions are shown as this contract's error objects.

    When no line was taken and that was no fault of the lines, the whole request failed, and the fault is raised.
    `position` is the highest that was reached in the log.
    """
    faults = [result for result in results if isinstance(result, BaseException)]
    if len(faults) == len(results):
        for fault in faults:
            if not isinstance(fault, (BadRequestError, DomainError)):
                raise fault
    shown = [{"error": refusal_text(result)} if isinstance(result, BaseException) else result for result in results]
    headers = {"Tidemark-Position": str(position)}
    if form == "lines":
        return Response(_encoder.encode_lines(shown), media_type=NDJSON, headers=headers)
    return Response(_encoder.encode({"results": shown}), media_type=JSON, headers=headers)


def refusal_text(fault: BaseException) -> str:
    """What the line is told, which is what a request of its own would be told."""
    match fault:
        case BadRequestError():
            return fault.text
        case AlreadyExistsError():
            return "resource already exists"
        case SensorUnknownError():
            return "sensor not found"
        case DomainError():
            return fault.message
        case OutcomeUnknownError():
            return OUTCOME_UNKNOWN
        case LogUnavailableError():
            return UNAVAILABLE
        case CommandConflictError() | Overloaded():
            return BUSY
    raise fault


def _form(body: bytes, content_type: str) -> Form:
    if content_type.partition(";")[0].strip().lower() == NDJSON:
        return "lines"
    match body.lstrip()[:1]:
        case b"[":
            return "array"
        case b"{":
            return "lines"
    raise BadRequestError("invalid request body")


def _array(body: bytes) -> Sequence[Line]:
    try:
        return _elements.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadRequestError("invalid request body") from None
