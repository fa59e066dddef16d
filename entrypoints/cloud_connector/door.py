"""What the routes of this contract need, and who is asking."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from time import monotonic
from typing import Literal

from msgspec.structs import asdict

from adapters.websocket.links import Links
from application.devices.ask import Asker
from application.ports import DeviceLine, LogUnavailableError, Totals
from domain.event import Origin
from entrypoints.bearers import Bearers
from entrypoints.cloud_connector.exchange import ConnectorExchange
from entrypoints.cloud_connector.origins import Origins
from entrypoints.cloud_connector.pending import Pending
from entrypoints.cloud_connector.status import StatusMetrics, status_metrics
from entrypoints.cloud_connector.ticker import Metrics, StatusTicker
from entrypoints.correlation import correlation_id
from projections.devices.connections import ConnectionQueries
from projections.positions import Positions

NOBODY = "anonymous"
COUNT_SECONDS = 0.5


@dataclass(frozen=True)
class Door:
    """Everything behind this contract's routes. `fleet` are the totals of all processes, `timeout` the seconds that a
    device may take, and `started` when this began, by `time.monotonic`."""

    links: Links
    line: DeviceLine
    asker: Asker
    fleet: Callable[[], Totals]
    connections: ConnectionQueries
    positions: Positions
    bearers: Bearers
    auth: Literal["open", "token"]
    origins: Origins
    timeout: float
    pending: Pending
    stopping: asyncio.Event
    started: float = field(default_factory=monotonic)

    @cached_property
    def ticker(self) -> StatusTicker:
        return StatusTicker(self._measure, self.stopping)

    def status(self, connections: int) -> StatusMetrics:
        state = "stopped" if self.stopping.is_set() else "started"
        return status_metrics(state, connections, self.fleet(), self.started)

    async def _measure(self, before: Metrics) -> Metrics:
        """While the database is away everything else goes on being told."""
        try:
            async with asyncio.timeout(COUNT_SECONDS):
                connections = await self.connections.count()
        except (LogUnavailableError, TimeoutError):
            connections = int(before.get("connections", 0))
        return asdict(self.status(connections))

    async def admits_device(self, headers: Mapping[str, str], device: str) -> bool:
        """Whether it may connect under this id: it shows its token before the upgrade (contract 2.1)."""
        if self.auth == "open":
            return True
        shown = headers.get("authentication") or headers.get("authorization")
        return await self.bearers.admits_device(shown, device)


async def let_in(door: Door, exchange: ConnectorExchange) -> None:
    """Raises NoTokenError, InvalidTokenError, or LogUnavailableError when nobody knows whose account is disabled."""
    exchange.claims = await door.bearers.claims_at(door.auth, exchange.header(b"authorization"))


def origin_of(exchange: ConnectorExchange) -> Origin:
    """Who asks, over HTTP, in which conversation."""
    actor = f"user:{exchange.claims.user_id}" if exchange.claims else NOBODY
    return Origin(actor=actor, source="http", correlation_id=correlation_id())
