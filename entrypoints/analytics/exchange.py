"""One request of this contract and its answer."""

from collections.abc import Mapping
from typing import Final, TypeVar
from urllib.parse import parse_qsl

from adapters.analytics.query import Answered
from adapters.analytics.wire import Format
from entrypoints.analytics.errors import BadRequestError
from entrypoints.exchange import Answer, Exchange, UnreadableBodyError

TYPES: Final[Mapping[Format, bytes]] = {
    "json": b"application/json",
    "csv": b"text/csv; charset=utf-8",
    "arrow": b"application/vnd.apache.arrow.stream",
}


LARGEST_BODY = 256 * 1024
BODY_SECONDS = 10.0

T = TypeVar("T")


class AnalyticsExchange(Exchange):
    @property
    def query(self) -> Mapping[str, str]:
        """The parameters after the `?`. Raises BadRequestError for one that is there twice."""
        pairs = parse_qsl(self.scope["query_string"].decode("latin-1"), keep_blank_values=True)
        query = dict(pairs)
        if len(query) < len(pairs):
            raise BadRequestError("A parameter is there twice")
        return query

    async def read_body(self, form: type[T], expected: str) -> T:
        """The body. Raises BadRequestError, which begins with what was expected, TooLargeError, TooSlowError and
        ClientGoneError."""
        try:
            return await self.json_body(form, LARGEST_BODY, BODY_SECONDS)
        except UnreadableBodyError as wrong:
            raise BadRequestError(f"{expected}: {wrong}") from None

    def format(self, asked: str | None) -> Format:
        """That which was asked for, else that which the client accepts, else JSON. Raises BadRequestError."""
        if asked:
            for format in TYPES:
                if format == asked:
                    return format
            raise BadRequestError(f"`format` is one of {', '.join(TYPES)}")
        accepted = (self.header(b"accept") or "").lower()
        return next((format for format, type in TYPES.items() if type.decode().partition(";")[0] in accepted), "json")


def answer_of(answered: Answered, format: Format) -> Answer:
    headers = (
        (b"tidemark-position", b"%d" % answered.position),
        (b"tidemark-rows", b"%d" % answered.rows),
        (b"cache-control", b"no-store"),
    )
    return Answer(answered.body, headers=headers, type=TYPES[format])
