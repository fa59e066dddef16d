"""One request to the audit and its answer."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Annotated, Literal, cast
from urllib.parse import parse_qsl
from uuid import UUID

import msgspec

from entrypoints.exchange import Exchange
from entrypoints.operations.pages import Receive, Scope, Send

Form = Literal["json", "ndjson", "csv", "sse"]

_ACCEPTED: Mapping[str, Form] = {
    "application/json": "json",
    "application/x-ndjson": "ndjson",
    "application/ndjson": "ndjson",
    "text/csv": "csv",
    "text/event-stream": "sse",
}
_LARGEST = 2**62

Moment = Annotated[datetime, msgspec.Meta(tz=True)]


class BadRequestError(Exception):
    """A parameter cannot be what it is; the text says which and what it may be."""


class NotFoundError(Exception):
    """There is no such thing."""


class AuditExchange(Exchange):
    """`query` are the parameters, once they were read."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        super().__init__(scope, receive, send)
        self.query: Mapping[str, str] = {}

    def read_query(self, known: Collection[str]) -> None:
        """Each parameter once, and no other: a misspelt filter would answer with what nobody asked for."""
        query: dict[str, str] = {}
        for name, value in parse_qsl(str(self.scope["query_string"], "latin-1"), keep_blank_values=True):
            if name not in known:
                raise BadRequestError(f"there is no parameter {name!r}; there are: {', '.join(sorted(known))}")
            if name in query:
                raise BadRequestError(f"{name} is given twice")
            if not value:
                raise BadRequestError(f"{name} is empty")
            query[name] = value
        self.query = query

    def text(self, name: str) -> str | None:
        return self.query.get(name)

    def choice(self, name: str, choices: Collection[str], default: str) -> str:
        given = self.query.get(name, default)
        if given not in choices:
            raise BadRequestError(f"{name} is one of {', '.join(choices)}")
        return given

    def number(self, name: str, default: int | None, most: int = _LARGEST) -> int | None:
        given = self.query.get(name)
        return default if given is None else as_number(given, name, most)

    def id(self, name: str) -> UUID | None:
        given = self.text(name)
        return None if given is None else as_id(given, name)

    def time(self, name: str) -> datetime | None:
        """RFC 3339; a time without an offset would be one of somewhere."""
        given = self.text(name)
        if given is None:
            return None
        try:
            return msgspec.convert(given.replace(" ", "+"), Moment).astimezone(UTC)
        except (msgspec.ValidationError, OverflowError):
            raise BadRequestError(f"{name} is a time such as 2026-11-24T08:00:00Z") from None

    @property
    def form(self) -> Form:
        """`format` wins over Accept."""
        if "format" in self.query:
            return cast("Form", self.choice("format", ("json", "ndjson", "csv", "sse"), "json"))
        for accepted in (self.header(b"accept") or "").split(","):
            if (form := _ACCEPTED.get(accepted.partition(";")[0].strip().lower())) is not None:
                return form
        return "json"


def as_number(text: str, name: str, most: int = _LARGEST) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 20 and 1 <= int(text) <= most):
        raise BadRequestError(f"{name} is a number from 1" + (f" to {most}" if most != _LARGEST else ""))
    return int(text)


def as_id(text: str, name: str) -> UUID:
    try:
        return msgspec.convert(text.lower(), UUID)
    except msgspec.ValidationError:
        raise BadRequestError(f"{name} is an id such as 3814fb88-565c-5dc8-9b91-60d4002b6edc") from None
