"""Where the brokers are, of which there is one, and whether it is ready (contract streams 2)."""

import re
from collections.abc import Callable

import msgspec

from entrypoints.contract_application import Handler
from entrypoints.exchange import Answer
from entrypoints.streams.door import Door
from entrypoints.streams.errors import NOT_READY, said
from entrypoints.streams.exchange import StreamsExchange

_host = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:\d+)?").fullmatch


async def show_brokers(door: Door, exchange: StreamsExchange) -> Answer:
    """The one broker there is, called as whoever asks calls it, so that he reaches it from wherever he is."""
    asked = _host(exchange.header(b"host") or "")
    brokers = {
        "length": 1,
        "names": [asked[1] if asked else "localhost"],
        "producerPort": door.ports.producer,
        "consumerPort": door.ports.consumer,
    }
    return Answer(msgspec.json.encode(brokers) + b"\n")


def status(name: str, port: Callable[[Door], int]) -> Handler[Door, StreamsExchange]:
    """How a listener says that it is ready."""

    async def show_status(door: Door, exchange: StreamsExchange) -> Answer:
        if not await door.is_ready():
            return NOT_READY
        return said(200, f"{name} listening on {port(door)}\n")

    return show_status
