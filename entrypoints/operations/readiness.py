"""Whether this process can do its work now, and if not, why."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from time import monotonic
from typing import NamedTuple
from urllib.parse import urlsplit

from adapters.eventstore.sign import SIGNS_HELD
from adapters.mqtt.gateway import MqttGateway
from adapters.nats.device_line import HolderRpc
from adapters.nats.device_rpc import DeviceRpc
from adapters.nats.relay import EventRelay
from application.ports import LogUnavailableError
from projections.database import Database
from projections.positions import projection_statuses

logger = logging.getLogger("tidemark.readiness")

PATIENCE_SECONDS = 2.0
# Load balancers ask often and there may be many of them.
KEPT_SECONDS = 0.25

Check = Callable[[], Awaitable[str]]


class NotReadyError(Exception):
    """What is missing, for the operator."""


class Finding(NamedTuple):
    ok: bool
    detail: str


class Readiness:
    """All checks together. Each returns a detail or raises NotReadyError."""

    def __init__(self, checks: Mapping[str, Check]) -> None:
        self._checks = checks
        self._seen: dict[str, Finding] = {}
        self._looked = -KEPT_SECONDS
        self._looking = asyncio.Lock()

    async def look(self) -> Mapping[str, Finding]:
        """The findings by name of the check, a moment old at most."""
        async with self._looking:
            if monotonic() - self._looked >= KEPT_SECONDS:
                found = await asyncio.gather(*map(_found, self._checks.values()))
                self._tell(dict(zip(self._checks, found, strict=True)))
                self._looked = monotonic()
            return self._seen

    def _tell(self, findings: dict[str, Finding]) -> None:
        """Logs what changed."""
        for name, finding in findings.items():
            before = self._seen.get(name)
            if before is not None and before.ok != finding.ok:
                log = logger.info if finding.ok else logger.warning
                log("%s: %s", name, finding.detail)
        self._seen = findings


def database_is_reachable(database: Database) -> Check:
    async def check() -> str:
        try:
            await database.fetch(b"SELECT 1")
        except LogUnavailableError:
            raise NotReadyError("PostgreSQL does not answer") from None
        return "answers"

    return check


def projections_keep_up(database: Database, limit: int) -> Check:
    """The read models are at most `limit` events behind, and none has failed."""

    async def check() -> str:
        try:
            statuses = await projection_statuses(database)
        except LogUnavailableError:
            raise NotReadyError("unknown, PostgreSQL does not answer") from None
        if not statuses:
            raise NotReadyError("no worker has run yet")
        for status in statuses:
            if status.state == "failed":
                raise NotReadyError(f"{status.name} failed: {status.detail}")
            if status.lag > limit:
                raise NotReadyError(f"{status.name} is {status.lag} events behind the log")
        return f"at most {max(status.lag for status in statuses)} events behind"

    return check


def takes_requests(gateway: MqttGateway, *rpcs: DeviceRpc | HolderRpc) -> Check:
    """Of several workers the one takes them whose gateway is connected."""

    async def check() -> str:
        if not gateway.connected:
            return "left to the worker that is connected to the MQTT broker"
        if not all(rpc.serving for rpc in rpcs):
            raise NotReadyError("requests for devices are not taken yet")
        return "taken"

    return check


def relay_keeps_up(relay: EventRelay, limit: int) -> Check:
    """The copy in NATS is at most `limit` events behind. Of several relays one works, and only that one knows."""

    async def check() -> str:
        if not relay.connected:
            raise NotReadyError("has no connection to NATS")
        if relay.working and relay.lag > limit:
            raise NotReadyError(f"the copy in NATS is {relay.lag} events behind the log")
        return f"{relay.lag} events behind" if relay.working else "another worker's relay works"

    return check


def is_signalled(database: Database, sign: str, otherwise: str) -> Check:
    """Some process holds up the sign, wherever it runs."""

    async def check() -> str:
        try:
            rows = await database.fetch(SIGNS_HELD, (sign,))
        except LogUnavailableError:
            raise NotReadyError("unknown, PostgreSQL does not answer") from None
        if not rows[0][0]:
            raise NotReadyError(otherwise)
        return f"{rows[0][0]} connected"

    return check


def listens(what: str, url: str, default_port: int, greeting: bytes = b"") -> Check:
    """Somebody answers at one of the addresses in `url`, for servers that this process has no connection to."""
    addresses = [urlsplit(one.strip()) for one in url.split(",")]

    async def check() -> str:
        for address in addresses:
            try:
                reader, writer = await asyncio.open_connection(address.hostname, address.port or default_port)
                try:
                    if greeting and await reader.readexactly(len(greeting)) != greeting:
                        continue
                    return "answers"
                finally:
                    writer.close()
            except (OSError, asyncio.IncompleteReadError):
                continue
        raise NotReadyError(f"{what} does not answer")

    return check


async def _found(check: Check) -> Finding:
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return Finding(True, await check())
    except NotReadyError as reason:
        return Finding(False, str(reason))
    except TimeoutError:
        return Finding(False, f"no answer within {PATIENCE_SECONDS:g} s")
