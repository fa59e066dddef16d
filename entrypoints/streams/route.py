"""What a route of this contract is."""

from typing import NamedTuple

from entrypoints.contract_application import Handler
from entrypoints.streams.door import Door
from entrypoints.streams.exchange import StreamsExchange


class Route(NamedTuple):
    """`open` ones need no token wherever the door stands."""

    handler: Handler[Door, StreamsExchange]
    open: bool = False
