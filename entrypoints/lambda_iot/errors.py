"""What goes wrong, in this contract's words: one JSON object with the one key `error`."""

import logging
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException
from litestar.types import ExceptionHandlersMap

from application.executor import CommandConflictError, OutcomeUnknownError, Overloaded
from application.ports import LogUnavailableError, NotPublishedError
from domain.devices.readings import SensorUnknownError
from domain.errors import AlreadyExistsError, DomainError, InvalidError, NotFoundError
from domain.identity.logins import TooManyFailuresError
from projections.as_of import AsOfError

logger = logging.getLogger("tidemark.http")

JSON = "application/json; charset=utf-8"

NO_CLAIMS = "no claims"
INVALID_CREDENTIALS = "invalid credentials"
UNAVAILABLE = "storage is unavailable, nothing was stored; try again shortly"
OUTCOME_UNKNOWN = "storage has not answered yet; this may still be stored, look before you try again"
BUSY = "too busy, nothing was stored; try again shortly"


class BadRequestError(Exception):
    """The request breaks a rule of the contract; `text` is the contract's word for it."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


class UnauthorizedError(Exception):
    """No token, or one that is not worth anything; `text` is one of the two documented ones."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


class ForbiddenError(Exception):
    """We know who it is, and they may not; or nobody may. `text` says which."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


class MissingError(Exception):
    """What the URL names is not there."""


def error(status: int, text: str, headers: dict[str, str] | None = None) -> Response[bytes]:
    return Response(msgspec.json.encode({"error": text}), status_code=status, media_type=JSON, headers=headers)


def _bad_request(_: Request[Any, Any, Any], fault: BadRequestError) -> Response[bytes]:
    return error(400, fault.text)


def _unauthorized(_: Request[Any, Any, Any], fault: UnauthorizedError) -> Response[bytes]:
    return error(401, fault.text, {"WWW-Authenticate": "Bearer"})


def _forbidden(_: Request[Any, Any, Any], fault: ForbiddenError) -> Response[bytes]:
    return error(403, fault.text)


def _too_many(_: Request[Any, Any, Any], refusal: TooManyFailuresError) -> Response[bytes]:
    return error(429, "too many requests", {"Retry-After": str(refusal.seconds)})


def _missing(_: Request[Any, Any, Any], __: Exception) -> Response[bytes]:
    return error(404, "resource not found")


def _taken(_: Request[Any, Any, Any], __: AlreadyExistsError) -> Response[bytes]:
    return error(409, "resource already exists")


def _sensor_unknown(_: Request[Any, Any, Any], __: SensorUnknownError) -> Response[bytes]:
    return error(400, "sensor not found")


def _refused(_: Request[Any, Any, Any], refusal: DomainError) -> Response[bytes]:
    return error(400, refusal.message)


def _unavailable(_: Request[Any, Any, Any], __: Exception) -> Response[bytes]:
    return error(503, UNAVAILABLE, {"Retry-After": "1"})


def _unknown(_: Request[Any, Any, Any], __: Exception) -> Response[bytes]:
    return error(503, OUTCOME_UNKNOWN, {"Retry-After": "5"})


def _not_published(_: Request[Any, Any, Any], __: Exception) -> Response[bytes]:
    return error(500, "failed to publish to MQTT")


def _busy(_: Request[Any, Any, Any], __: Exception) -> Response[bytes]:
    return error(503, BUSY, {"Retry-After": "1"})


def _not_then(_: Request[Any, Any, Any], fault: Exception) -> Response[bytes]:
    return error(400, str(fault))


def _http(_: Request[Any, Any, Any], fault: HTTPException) -> Response[bytes]:
    """What the framework itself refuses: unknown paths, wrong methods, bodies that are too large."""
    texts = {404: "resource not found", 405: "method not allowed", 413: "request body too large"}
    return error(fault.status_code, texts.get(fault.status_code, "invalid request"), dict(fault.headers or {}))


def _internal(request: Request[Any, Any, Any], fault: Exception) -> Response[bytes]:
    logger.error("%s %s failed", request.method, request.url.path, exc_info=fault)
    return error(500, "internal server error")


EXCEPTION_HANDLERS: ExceptionHandlersMap = {
    BadRequestError: _bad_request,
    UnauthorizedError: _unauthorized,
    ForbiddenError: _forbidden,
    TooManyFailuresError: _too_many,
    MissingError: _missing,
    NotFoundError: _missing,
    AlreadyExistsError: _taken,
    SensorUnknownError: _sensor_unknown,
    InvalidError: _refused,
    DomainError: _refused,
    OutcomeUnknownError: _unknown,
    LogUnavailableError: _unavailable,
    CommandConflictError: _busy,
    Overloaded: _busy,
    NotPublishedError: _not_published,
    AsOfError: _not_then,
    HTTPException: _http,
    Exception: _internal,
}
