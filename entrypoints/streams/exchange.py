"""One request of this contract and its answer."""

import asyncio
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from urllib.parse import unquote_to_bytes

from adapters.security.tokens import Claims
from entrypoints.exchange import Answer, ClientGoneError, Exchange, TooLargeError
from entrypoints.http_protocol import connection_of

# A body that is longer under way is not waited for.
BODY_SECONDS = 30.0
# Of a body that is too large so much is still taken, so that the client can hear what is wrong.
DRAINED = 4 * 1024 * 1024

_malformed = re.compile(r"%(?![0-9A-Fa-f]{2})").search


class StreamsExchange(Exchange):
    """`claims` are of whoever showed a token."""

    claims: Claims | None = None

    @cached_property
    def query(self) -> Mapping[str, Sequence[str]]:
        """The parameters after the `?`, each with all its values in their order. A pair that is not well-formed is not
        there (contract streams 3.1). What is no UTF-8 is kept as it came."""
        parameters: dict[str, list[str]] = {}
        for pair in str(self.scope["query_string"], "latin-1").split("&"):
            if pair and not _malformed(pair) and ";" not in pair:
                name, _, value = pair.partition("=")
                parameters.setdefault(_decoded(name), []).append(_decoded(value))
        return parameters

    def parameter(self, *names: str) -> str:
        """The first value of the first of these that is there, in UTF-8; an empty text if none is."""
        found = next((self.query[name][0] for name in names if name in self.query), "")
        return readable(found)

    @property
    def is_chunked(self) -> bool:
        return "chunked" in (self.header(b"transfer-encoding") or "").lower()

    @property
    def content_length(self) -> int | None:
        """None when there is none, or none that can be read."""
        given = self.header(b"content-length")
        return int(given) if given is not None and given.isascii() and given.isdigit() else None

    async def message_body(self, largest: int) -> bytes:
        """Raises TooLargeError after some of what is too much was taken, and what `body` raises."""
        if (self.content_length or 0) > largest:
            with suppress(TooLargeError):
                await self.body(DRAINED, BODY_SECONDS)
            raise TooLargeError
        body = await self.body(largest, BODY_SECONDS)
        if self.content_length is not None and len(body) < self.content_length:
            raise ClientGoneError  # it went away in the middle
        return body

    async def deliver(self, answer: Answer) -> bool:
        """Answers; whether the network took all of it while the client was there. What waits in this process would be
        lost with it."""
        connection = connection_of(self.scope)
        await self.begin_answer(answer)
        connection.set_write_buffer_limits(high=0)
        try:
            await self.write(answer.body)
            await self.write(b"")  # waits until what was written before has gone
            leaving = asyncio.create_task(self.gone())
            await asyncio.sleep(0)
            is_there = not leaving.done()
            leaving.cancel()
        finally:
            connection.set_write_buffer_limits()
        await self.end()
        return is_there


def readable(text: str) -> str:
    """With a sign in the place of bytes that are no UTF-8: events are JSON."""
    return text.encode(errors="surrogateescape").decode(errors="replace")


def _decoded(text: str) -> str:
    return unquote_to_bytes(text.replace("+", " ").encode("latin-1")).decode(errors="surrogateescape")
