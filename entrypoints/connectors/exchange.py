"""One request of this contract and its answer."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote
from uuid import UUID

import msgspec

from adapters.security.tokens import Claims
from application.parsing import parse_uuid
from domain.event import Origin
from entrypoints.connectors import errors
from entrypoints.connectors.errors import JSON, Refusal, RefusedError
from entrypoints.correlation import correlation_id
from entrypoints.exchange import Answer, Exchange, Header
from entrypoints.operations.pages import Receive, Scope, Send

API = "/api/v1"
LARGEST_BODY = 1024 * 1024
BODY_SECONDS = 10.0
SUBJECT = b"x-external-subject-id"


class ConnectorExchange(Exchange):
    """`claims`, `subject` and `sent` (the body, a JSON object) are there where the
    route asks for them."""

    claims: Claims
    subject: str
    sent: Mapping[str, Any]

    def __init__(self, scope: Scope, receive: Receive, send: Send, public_url: str) -> None:
        super().__init__(scope, receive, send)
        self._public_url = public_url

    @property
    def owner(self) -> str:
        """Whom the token is of: the app that everything made with it belongs to."""
        return str(self.claims.user_id)

    @property
    def origin(self) -> Origin:
        return Origin(actor=f"user:{self.claims.user_id}", source="http", correlation_id=correlation_id())

    @property
    def base(self) -> str:
        """Where we are reached, without a slash at the end: as it is set, else as the request names it."""
        if self._public_url:
            return self._public_url
        return f"{self.scope.get('scheme', 'http')}://{self.header(b'host') or 'localhost'}"

    def href(self, path: str) -> str:
        """The address of what has this path below the API."""
        return f"{self.base}{API}{path}"

    def named_id(self, name: str, refusal: Refusal) -> UUID:
        """The id in the path. What cannot be one names nothing, which is the refusal."""
        id = parse_uuid(self.named[name])
        if id is None:
            raise RefusedError(refusal)
        return id

    async def read_object(self) -> Mapping[str, Any]:
        """Raises RefusedError for another type, no JSON, or no object."""
        type, *_ = (self.header(b"content-type") or "").split(";")
        body = await self.body(LARGEST_BODY, BODY_SECONDS)
        if type.strip().lower() != "application/json":
            raise RefusedError(errors.BAD_CONTENT_TYPE)
        try:
            sent = msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise RefusedError(errors.INVALID_JSON_BODY) from None
        if not isinstance(sent, dict):
            raise RefusedError(errors.INVALID_JSON_BODY)
        return sent


def shown(view: object, status: int = 200, headers: tuple[Header, ...] = ()) -> Answer:
    return Answer(msgspec.json.encode(view), status, headers, JSON)


def done(position: int, status: int = 204) -> Answer:
    """Nothing to say but that it is on the record."""
    return Answer(b"", status, (at(position),), b"")


def at(position: int) -> Header:
    return b"tidemark-position", str(position).encode()


def location_header(address: str) -> Header:
    """Whoever tells the address may be anybody: what cannot stand in one, a line break above all, is escaped."""
    return b"location", quote(address, safe=_OF_ADDRESSES).encode()


# RFC 3986, and the sign of what is escaped already.
_OF_ADDRESSES = ":/?#[]@!$&'()*+,;=%"
