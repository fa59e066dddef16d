"""What goes wrong, in this contract's words (contract metrics 1.2, 1.4, 1.6, 1.7.4)."""

from collections.abc import Mapping, Sequence
from typing import Any

from adapters.security.tokens import InvalidTokenError, TokenExpiredError, TokenTooEarlyError
from application.executor import CommandConflictError, OutcomeUnknownError, Overloaded
from application.ports import LogUnavailableError
from domain.identity.logins import TooManyFailuresError
from domain.metrics.report import ReportInvalidError
from entrypoints.bearers import NoTokenError
from entrypoints.contract_application import of_kind
from entrypoints.exchange import BEARER, Answer, Header, TooLargeError, TooSlowError, allow, retry_after
from entrypoints.logins import LoginFailedError
from entrypoints.metric_reporting.views import JSON, json_body
from projections.as_of import AsOfError

TEXT = b"text/plain; charset=utf-8"


class RefusedError(Exception):
    """The request cannot be served; `answer` is what the contract says of it."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.body.decode())
        self.answer = answer


def refused(status: int, title: str, detail: str, headers: Sequence[Header] = ()) -> Answer:
    return _errors(status, [{"title": title, "detail": detail}], headers)


def unparsable(detail: str) -> RefusedError:
    """The body is no JSON, or not of the shape that the contract has (400)."""
    return RefusedError(refused(400, "error parsing JSON body", detail))


def bad_request(detail: str) -> RefusedError:
    return RefusedError(refused(400, "Bad Request", detail))


def unknown_host(device: str) -> RefusedError:
    """Of whoever reports."""
    return RefusedError(refused(404, "Host Not Found", f"Unknown host: {device}"))


def not_found(what: str) -> RefusedError:
    """Of whoever reads; `what` is Host or Metric."""
    return RefusedError(refused(404, "Not Found", f"{what} not found"))


def method_not_allowed(allowed: str) -> Answer:
    return Answer(b"", 405, (allow(allowed),), type=b"")


def refusal_of(error: Exception) -> Answer | None:
    """None for what nobody expected."""
    if isinstance(error, RefusedError):
        return error.answer
    if isinstance(error, AsOfError):
        return refused(400, "Bad Request", str(error))
    if isinstance(error, ReportInvalidError):
        faults = [
            {"status": 422, "title": title, "detail": detail, "source": source}
            for title, detail, source in error.faults
        ]
        return _errors(422, faults)
    if isinstance(error, TokenTooEarlyError):
        return _unauthorized(f"token {error.claim} validation failed")
    if isinstance(error, TooManyFailuresError):
        return refused(429, "Too Many Requests", error.message, (retry_after(error.seconds),))
    return of_kind(error, _ANSWERS)


def _errors(status: int, errors: Sequence[Mapping[str, Any]], headers: Sequence[Header] = ()) -> Answer:
    return Answer(json_body({"errors": errors, "status": status}), status, headers, JSON)


def _plain(status: int, line: str, headers: Sequence[Header] = ()) -> Answer:
    return Answer(f"{line}\n".encode(), status, ((b"x-content-type-options", b"nosniff"), *headers), TEXT)


def _unauthorized(line: str) -> Answer:
    return _plain(401, line, (BEARER,))


def _away(detail: str, seconds: int = 1) -> Answer:
    return refused(503, "Service Unavailable", detail, (retry_after(seconds),))


NOT_FOUND = _plain(404, "404 page not found")
INTERNAL = refused(500, "Internal Server Error", "internal server error")
# So says the daemon to whoever reports.
INTERNAL_OF_REPORT = Answer(b'""\n', 500, type=JSON)

_ANSWERS: Mapping[type[BaseException], Answer] = {
    NoTokenError: _unauthorized("no token found"),
    TokenExpiredError: _unauthorized("token is expired"),
    InvalidTokenError: _unauthorized("token is unauthorized"),
    LoginFailedError: Answer(json_body({"error": "Invalid login or password."}), 401, type=JSON),
    TooLargeError: refused(413, "Request Entity Too Large", "the body is larger than is taken"),
    TooSlowError: refused(400, "error parsing JSON body", "the body did not come in time"),
    OutcomeUnknownError: _away("storage has not answered yet; this may still be stored", 5),
    LogUnavailableError: _away("storage is unavailable; try again shortly"),
    CommandConflictError: _away("too busy; try again shortly"),
    Overloaded: _away("too busy; try again shortly"),
}
