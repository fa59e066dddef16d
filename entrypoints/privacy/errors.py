"""What goes wrong, in this contract's words: a code that stays, and a sentence for whoever asked."""

from collections.abc import Mapping
from typing import Any

import msgspec

from adapters.security.tokens import InvalidTokenError
from application.executor import CommandConflictError, OutcomeUnknownError, Overloaded
from application.ports import LogUnavailableError
from domain.connectors.subject import SubjectServedError
from domain.errors import NotFoundError
from entrypoints.bearers import ForbiddenError, NoTokenError
from entrypoints.contract_application import of_kind
from entrypoints.exchange import (
    BEARER,
    CLOSE,
    Answer,
    Header,
    TooLargeError,
    TooSlowError,
    UnreadableBodyError,
    allow,
    retry_after,
)


class BadRequestError(Exception):
    """The request cannot be understood."""


def problem(status: int, code: str, message: str, *headers: Header, **more: Any) -> Answer:
    return Answer(msgspec.json.encode({"code": code, "message": message, **more}), status, headers)


def method_not_allowed(allowed: str) -> Answer:
    return problem(405, "method_not_allowed", f"There are {allowed} here", allow(allowed))


def refusal_of(error: Exception) -> Answer | None:
    """None for what nobody expected."""
    match error:
        case SubjectServedError():
            return problem(409, error.code, error.message, clients=error.clients, things=error.things)
        case NotFoundError():
            return problem(404, error.code, error.message)
        case BadRequestError() | UnreadableBodyError():
            return problem(400, "bad_request", str(error))
        case ForbiddenError():
            return problem(403, "forbidden", str(error))
    return of_kind(error, _ANSWERS)


NOT_FOUND = problem(404, "not_found", "There is nothing at this path; see GET /privacy/openapi.json")
INTERNAL = problem(500, "internal", "Internal server error")

_LATER: Header = retry_after(1)
_ANSWERS: Mapping[type[BaseException], Answer] = {
    NoTokenError: problem(401, "no_token", "A bearer token is required", BEARER),
    InvalidTokenError: problem(401, "invalid_token", "The bearer token is not valid", BEARER),
    TooLargeError: problem(413, "body_too_large", "The body is too large", CLOSE),
    TooSlowError: problem(408, "body_too_slow", "The body did not come in time", CLOSE),
    OutcomeUnknownError: problem(
        503, "outcome_unknown", "It is not known whether this was done; to ask again does no harm", _LATER
    ),
    LogUnavailableError: problem(
        503, "log_unavailable", "The log cannot be reached, or is not read yet; try again shortly", _LATER
    ),
    CommandConflictError: problem(503, "conflict", "Too much changed at once; try again", _LATER),
    Overloaded: problem(503, "overloaded", "Too many requests wait; try again shortly", _LATER),
}
