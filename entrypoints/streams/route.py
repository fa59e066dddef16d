"""What a route of this contract is."""

from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

from entrypoints.exchange import Answer
from entrypoints.streams.door import Door
from entrypoints.streams.exchange import StreamsExchange

Handler = Callable[[Door, StreamsExchange], Awaitable[Answer | None]]
"""None: it has answered by itself."""


class Route(NamedTuple):
    """`open` ones need no token wherever the door stands."""

    handler: Handler
    open: bool = False


Routes = Mapping[str, Mapping[str, Route]]
"""By path and method."""
