"""What goes wrong, in this contract's words. Reads answer with the one key `error`; commands and queries say the same
text in `error`, as it is documented, and in `errors`, as older clients read it, beside an empty `response` (R3)."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from adapters.security.tokens import InvalidTokenError
from application.executor import CommandConflictError, OutcomeUnknownError, Overloaded
from application.ports import LogUnavailableError, NotConnectedError, NotPublishedError
from entrypoints.bearers import NoTokenError
from entrypoints.cloud_connector.pending import HurriedError
from entrypoints.cloud_connector.ticker import TooManySubscribersError
from entrypoints.contract_application import of_kind
from entrypoints.exchange import BEARER, Answer, Header, TooLargeError, allow, retry_after
from projections.as_of import AsOfError


class Refusal(NamedTuple):
    status: int
    text: str
    headers: Sequence[Header] = ()


class RefusedError(Exception):
    """The request cannot be served; `refusal` is what the contract says of it."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.text)
        self.refusal = refusal


NOT_FOUND = Refusal(404, "resource not found")
DEVICE_NOT_FOUND = Refusal(404, "Device not found")
FOREIGN_PAGE = Refusal(403, "pages of this origin may not command devices; see TIDEMARK_CONNECTOR_ORIGINS")
UPGRADE = Refusal(426, "devices connect here by WebSocket", ((b"upgrade", b"websocket"), (b"connection", b"Upgrade")))
INTERNAL = Refusal(500, "internal server error")


def method_not_allowed(allowed: str) -> Refusal:
    return Refusal(405, "method not allowed", (allow(allowed),))


def away(text: str, seconds: int = 1) -> Refusal:
    """What it takes is not there just now."""
    return Refusal(503, text, (retry_after(seconds),))


def refusal_of(error: Exception) -> Refusal | None:
    """None for what nobody expected."""
    if isinstance(error, RefusedError):
        return error.refusal
    if isinstance(error, AsOfError):
        return Refusal(400, str(error))
    if isinstance(error, NotPublishedError):
        return away(f"the device cannot be reached now, nothing was sent: {error}")
    return of_kind(error, _REFUSALS)


def answer_to(refusal: Refusal, *, asked: bool = False) -> Answer:
    body: Mapping[str, str] = {"error": refusal.text}
    if asked:
        body = {"response": "", "error": refusal.text, "errors": refusal.text}
    return Answer(msgspec.json.encode(body), refusal.status, refusal.headers)


_REFUSALS: Mapping[type[BaseException], Refusal] = {
    NoTokenError: Refusal(401, "no claims", (BEARER,)),
    InvalidTokenError: Refusal(401, "invalid credentials", (BEARER,)),
    TooLargeError: Refusal(413, "request body too large"),
    NotConnectedError: DEVICE_NOT_FOUND,
    OutcomeUnknownError: away("storage has not answered yet; nothing was sent to the device", 5),
    LogUnavailableError: away("storage is unavailable; try again shortly"),
    CommandConflictError: away("too busy, nothing was sent; try again shortly"),
    Overloaded: away("too busy, nothing was sent; try again shortly"),
    HurriedError: away("this process is stopping; the device may have heard the question"),
    TooManySubscribersError: away("too many clients listen already; try again later", 10),
}
