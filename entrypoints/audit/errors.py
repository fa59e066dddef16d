"""What goes wrong, in the audit's words: `{"error": …}`."""

import msgspec

from adapters.proof.inclusion import LogChangedError, NotProvedError
from adapters.security.tokens import InvalidTokenError
from application.ports import LogUnavailableError
from entrypoints.audit.exchange import BadRequestError, NotFoundError
from entrypoints.bearers import ForbiddenError, NoTokenError
from entrypoints.exchange import BEARER, Answer, Header, allow, retry_after
from projections.as_of import AsOfError
from projections.audit.states import BeforeItBeganError, NoStateError


def error(status: int, text: str, *headers: Header) -> Answer:
    return Answer(msgspec.json.encode({"error": text}), status, headers)


NOT_FOUND = error(404, "there is nothing here; see docs/audit.md")
INTERNAL = error(500, "internal server error")


def method_not_allowed(allowed: str) -> Answer:
    return error(405, "method not allowed", allow(allowed))


def refusal_of(fault: Exception) -> Answer | None:
    """None for what nobody expected."""
    match fault:
        case BadRequestError() | AsOfError():
            return error(400, str(fault))
        case NotFoundError() | BeforeItBeganError():
            return error(404, str(fault))
        case NotProvedError():
            return error(404, str(fault), retry_after(60))
        case LogChangedError():
            return error(409, str(fault))
        case NoStateError():
            return error(422, str(fault))
        case NoTokenError():
            return error(401, "a token is needed; `tidemark token --scope audit.read` makes one", BEARER)
        case InvalidTokenError():
            return error(401, str(fault), (b"www-authenticate", b'Bearer error="invalid_token"'))
        case ForbiddenError():
            return error(403, str(fault))
        case LogUnavailableError():
            return error(503, "the database cannot be reached", retry_after(1))
    return None
