"""What went over all connections of all processes: each tells the others its own totals, over NATS."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from secrets import token_hex
from time import monotonic

import msgspec
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from adapters.nats.connection import NatsConnection
from application.ports import Totals

SUBJECT = "tidemark.totals"

# How soon others learn of a change, how often they are told in any case, and when a process that says nothing is
# forgotten.
TELL_SECONDS = 0.2
REPEAT_SECONDS = 1.0
FORGET_SECONDS = 5.0


class _Told(msgspec.Struct):
    process: str
    totals: Totals


class FleetTotals:
    """`await totals.run()` in a task, cancelled to stop. Without NATS each process knows its own totals only."""

    def __init__(self, connection: NatsConnection, own: Callable[[], Totals]) -> None:
        self._connection = connection
        self._own = own
        self._process = token_hex(8)
        self._others: dict[str, tuple[float, Totals]] = {}

    def fleet(self) -> Totals:
        """All processes together; the rates are this process's own."""
        heard_since = monotonic() - FORGET_SECONDS
        self._others = {process: told for process, told in self._others.items() if told[0] > heard_since}
        own = self._own()
        everybody = [own, *(totals for _, totals in self._others.values())]
        return own._replace(
            received=sum(totals.received for totals in everybody),
            sent=sum(totals.sent for totals in everybody),
            commands_waiting=sum(totals.commands_waiting for totals in everybody),
            queries_waiting=sum(totals.queries_waiting for totals in everybody),
        )

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._listen())
            tasks.create_task(self._tell())

    async def _listen(self) -> None:
        async for client in self._connection.clients():
            with suppress(NatsError, OSError, TimeoutError):  # the next client makes it anew
                await client.subscribe(SUBJECT, cb=self._hear)

    async def _hear(self, message: Msg) -> None:
        with suppress(msgspec.MsgspecError):
            told = msgspec.json.decode(message.data, type=_Told)
            if told.process != self._process:
                self._others[told.process] = (monotonic(), told.totals)

    async def _tell(self) -> None:
        last, at = Totals(), -REPEAT_SECONDS
        while True:
            own = self._own()
            if self._connection.connected and (own != last or monotonic() - at >= REPEAT_SECONDS):
                with suppress(NatsError, OSError, TimeoutError):
                    client = await self._connection.client()
                    await client.publish(SUBJECT, msgspec.json.encode(_Told(self._process, own)))
                    last, at = own, monotonic()
            await asyncio.sleep(TELL_SECONDS)
