"""What goes wrong, in this contract's words: a line of text (contract streams 1.1, 3.1, 4)."""

from collections.abc import Mapping, Sequence

from adapters.security.tokens import InvalidTokenError
from application.executor import CommandConflictError, OutcomeUnknownError, Overloaded
from application.ports import LogUnavailableError
from domain.errors import DomainError, NotFoundError
from domain.streams.consumer import ConsumerInvalidError, NotRegisteredError, RegisteredOtherwiseError
from domain.streams.group import AnotherReaderError
from domain.streams.submission import KeyReusedError
from domain.streams.topic import TopicNameError
from entrypoints.bearers import ForbiddenError, NoTokenError
from entrypoints.contract_application import of_kind
from entrypoints.exchange import BEARER, CLOSE, Answer, Header, TooSlowError, allow, retry_after
from entrypoints.streams.bodies.messages import UnreadableError
from projections.as_of import AsOfError

TEXT = b"text/plain; charset=utf-8"
_NOSNIFF: Header = (b"x-content-type-options", b"nosniff")


class RefusedError(Exception):
    """The request cannot be served; `answer` is what the contract says of it."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.body.decode())
        self.answer = answer


def said(status: int, text: str, headers: Sequence[Header] = ()) -> Answer:
    """As a handler says it: without a newline."""
    return Answer(text.encode(), status, headers, TEXT)


def line(status: int, text: str, headers: Sequence[Header] = ()) -> Answer:
    """As the router says it."""
    return Answer(f"{text}\n".encode(), status, (_NOSNIFF, *headers), TEXT)


def bad_request(text: str) -> RefusedError:
    return RefusedError(said(400, text))


def method_not_allowed(allowed: str) -> Answer:
    return line(405, "Method Not Allowed", (allow(allowed),))


def content_length(largest: int, *, close: bool = False) -> RefusedError:
    """There is no body, or too much of it; then the connection cannot be used any more."""
    text = (
        f"Content length must be defined (HTTP/1.1 chunked not supported), greater than 0 and less than {largest} bytes"
    )
    return RefusedError(said(400, text, (CLOSE,) if close else ()))


def refusal_of(error: Exception) -> Answer | None:
    """None for what nobody expected."""
    if isinstance(error, RefusedError):
        return error.answer
    if isinstance(error, (UnreadableError, ForbiddenError, AsOfError)):
        return said(403 if isinstance(error, ForbiddenError) else 400, str(error))
    if (known := of_kind(error, _ANSWERS)) is not None:
        return known
    if isinstance(error, DomainError):
        return said(404 if isinstance(error, NotFoundError) else 400, error.message)
    return None


def _away(text: str, seconds: int = 1) -> Answer:
    return said(503, text, (retry_after(seconds),))


NOT_FOUND = line(404, "404 page not found")
INTERNAL = line(500, "Internal server error")
NO_HOST = said(400, "400 Bad Request: missing required Host header")
NOT_READY = _away("Broker is unavailable to handle producer/consumer requests")
INVALID_TOPIC = said(400, "Invalid topic")

_ANSWERS: Mapping[type[BaseException], Answer] = {
    NoTokenError: said(401, "A bearer token is required", (BEARER,)),
    InvalidTokenError: said(401, "The bearer token is not valid", (BEARER,)),
    TopicNameError: INVALID_TOPIC,
    TooSlowError: said(408, "The body did not come in time", (CLOSE,)),
    ConsumerInvalidError: said(400, "Consumer id and topics can not be empty"),
    RegisteredOtherwiseError: said(400, "Consumer already registered with different parameters"),
    NotRegisteredError: said(409, "Consumer not registered"),
    AnotherReaderError: Answer(b"Manual commit ignored: another origin reading\n", 409, (_NOSNIFF,), TEXT),
    KeyReusedError: said(422, "The Idempotency-Key was used for another request within the last day"),
    # Whether it is stored nobody knows, and the contract has a word for that (3.1).
    OutcomeUnknownError: INTERNAL,
    LogUnavailableError: _away("Storage is unavailable; nothing was stored, try again shortly"),
    CommandConflictError: _away("Too busy; nothing was stored, try again shortly"),
    Overloaded: _away("Too busy; nothing was stored, try again shortly"),
}
