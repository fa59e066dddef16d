"""Every process knows what went over the connections of all."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from adapters.embedded.nats import EmbeddedNats
from adapters.nats import totals
from adapters.nats.connection import NatsConnection
from adapters.nats.totals import FleetTotals
from application.ports import Totals
from tests.adapters.websocket.server import cancelled, until


class Process:
    def __init__(self, **own: int) -> None:
        self.own = Totals(**own)


@asynccontextmanager
async def telling(url: str, process: Process) -> AsyncIterator[FleetTotals]:
    async with NatsConnection(url, "test totals") as connection:
        fleet = FleetTotals(connection, lambda: process.own)
        running = asyncio.create_task(fleet.run())
        try:
            yield fleet
        finally:
            await cancelled(running)


async def test_each_process_knows_the_totals_of_all(nats_server: EmbeddedNats) -> None:
    one = Process(received=1, sent=2, received_per_second=7, commands_waiting=1)
    other = Process(received=10, sent=20, received_per_second=9, queries_waiting=2)
    async with telling(nats_server.url, one) as here, telling(nats_server.url, other) as there:
        both = Totals(11, 22, 7, 0, 1, 2)
        await until(lambda: here.fleet() == both)
        await until(lambda: there.fleet() == both._replace(received_per_second=9))
        other.own = other.own._replace(received=11)
        await until(lambda: here.fleet().received == 12)
        one.own = one.own._replace(received=2)
        assert here.fleet().received == 13  # its own are fresh


async def test_a_process_that_says_nothing_any_more_is_forgotten(
    nats_server: EmbeddedNats, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(totals, "FORGET_SECONDS", 2.0)
    async with telling(nats_server.url, Process(received=1)) as here:
        async with telling(nats_server.url, Process(received=10)):
            await until(lambda: here.fleet().received == 11)
        await until(lambda: here.fleet().received == 1)


async def test_totals_come_again_after_nats_was_away(nats_server: EmbeddedNats) -> None:
    other = Process(received=10)
    async with telling(nats_server.url, Process(received=1)) as here, telling(nats_server.url, other):
        await until(lambda: here.fleet().received == 11)
        nats_server.kill()
        nats_server.start()
        other.own = Totals(received=20)
        await until(lambda: here.fleet().received == 21)
