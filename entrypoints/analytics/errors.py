"""What goes wrong, in this contract's words: a code that stays, and a sentence for whoever asked."""

from collections.abc import Mapping, Sequence

import msgspec

from adapters.analytics.manifest import UnreadableManifestError
from adapters.analytics.query import (
    ExportBehindError,
    InvalidQueryError,
    QueryError,
    QueryTooLargeError,
    QueryTooSlowError,
)
from adapters.analytics.ready_made import ParameterError
from adapters.analytics.replay import ReplayEndedError, ReplayError, ReplayTooLargeError
from adapters.security.tokens import InvalidTokenError
from application.ports import LogUnavailableError
from entrypoints.bearers import ForbiddenError, NoTokenError
from entrypoints.exchange import BEARER, CLOSE, Answer, Header, TooLargeError, TooSlowError, allow, retry_after


class BadRequestError(Exception):
    """The request cannot be understood."""


def problem(status: int, code: str, message: str, headers: Sequence[Header] = ()) -> Answer:
    return Answer(msgspec.json.encode({"code": code, "message": message}), status, headers)


def method_not_allowed(allowed: str) -> Answer:
    return problem(405, "method_not_allowed", f"There are {allowed} here", (allow(allowed),))


def refusal_of(error: Exception) -> Answer | None:
    """None for what nobody expected."""
    for kind in type(error).__mro__:
        if kind in _ANSWERS:
            return _ANSWERS[kind]
        if kind in _TOLD:
            return problem(*_TOLD[kind], str(error))
    return None


_LATER: Header = retry_after(5)

NOT_FOUND = problem(404, "not_found", "There is nothing at this path; GET /analytics lists what there is")
INTERNAL = problem(500, "internal", "Internal server error")

# Status and code; the error says the rest.
_TOLD: Mapping[type[BaseException], tuple[int, str]] = {
    BadRequestError: (400, "bad_request"),
    ParameterError: (400, "bad_parameter"),
    InvalidQueryError: (400, "bad_sql"),
    ForbiddenError: (403, "forbidden"),
    QueryTooSlowError: (408, "too_slow"),
    QueryTooLargeError: (422, "too_large"),
    QueryError: (503, "not_answered"),
    UnreadableManifestError: (503, "export_unreadable"),
    ReplayTooLargeError: (422, "too_large"),
    ReplayEndedError: (503, "not_answered"),
    ReplayError: (400, "rule_failed"),
}
_ANSWERS: Mapping[type[BaseException], Answer] = {
    NoTokenError: problem(401, "no_token", "A bearer token is required", (BEARER,)),
    InvalidTokenError: problem(401, "invalid_token", "The bearer token is not valid", (BEARER,)),
    TooLargeError: problem(413, "body_too_large", "The body is too large", (CLOSE,)),
    TooSlowError: problem(408, "body_too_slow", "The body did not come in time", (CLOSE,)),
    ExportBehindError: problem(
        503,
        "export_behind",
        "The export is too far behind the log: run `tidemark export`, or wait until the worker has",
        (_LATER,),
    ),
    LogUnavailableError: problem(503, "log_unavailable", "The log cannot be reached, try again shortly", (_LATER,)),
}
