"""The one place where the parts are put together, from settings: for `tidemark serve` and for `tidemark worker`.

A part that opens something is entered on the stack, so that it is closed in reverse order of starting.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime

import psycopg

from adapters.analytics.query import Queries
from adapters.eventstore.checkpoint import Checkpoint
from adapters.eventstore.lease import Lease, LeaseLostError
from adapters.eventstore.log import PostgresEventLog
from adapters.eventstore.mapper import Mapper
from adapters.eventstore.reader import PostgresLogReader
from adapters.eventstore.sign import SIGNS_AMONG, hold_up, holder_sign
from adapters.eventstore.tenure import Tenure
from adapters.mqtt.broker import Broker
from adapters.mqtt.gateway import GatewaySettings, MqttGateway
from adapters.nats.connection import NatsConnection
from adapters.nats.connector_line import NatsWorkerLine
from adapters.nats.device_line import MQTT, HolderRpc, NatsDeviceLine
from adapters.nats.device_rpc import DeviceRpc, NatsDevicePublisher
from adapters.nats.live import NatsLiveEvents
from adapters.nats.message_relay import MessageRelay
from adapters.nats.relay import EventRelay
from adapters.nats.stream import StreamLimits
from adapters.nats.totals import FleetTotals
from adapters.outgoing import Outgoing
from adapters.security.passwords import Argon2Passwords
from adapters.security.tokens import Tokens
from adapters.websocket.links import Links
from adapters.websocket.reconciling import LinkReconciler
from adapters.websocket.record import LinkRecord
from application import connectors, devices, identity, streams
from application.connectors.types import ConnectorTypes
from application.devices.ask import Asker
from application.devices.dispatch import Dispatcher
from application.devices.link import registered
from application.devices.reaping import LinkReaper
from application.executor import CommandExecutor
from application.metrics import reports
from application.policies.things import ThingsAsDevices
from application.ports import LogUnavailableError
from domain.catalogue import CATALOGUE
from domain.devices.device import DEVICE
from entrypoints.analysing import analysing
from entrypoints.cloud_connector.pending import Pending
from entrypoints.connecting import ConnectorWork, connector_types
from entrypoints.exporting import export_again_and_again
from entrypoints.metrics import Metrics
from entrypoints.operations.readiness import (
    Check,
    Readiness,
    database_is_reachable,
    is_signalled,
    listens,
    projections_keep_up,
    relay_keeps_up,
    takes_requests,
)
from entrypoints.proving import signing
from entrypoints.running import running_beside
from entrypoints.settings import Settings
from entrypoints.streaming import Streaming, retain, streaming
from projections.database import Database
from projections.devices.connections import ConnectedDevices, ConnectionQueries
from projections.devices.directory import Directory
from projections.devices.reading_queries import ReadingQueries
from projections.feed import Feed
from projections.identity.accounts import Accounts
from projections.positions import Positions
from projections.rebuild import RebuildRunningError, outdated, rebuild
from projections.registry import READ_MODELS
from projections.runner import ProjectionRunner

logger = logging.getLogger("tidemark.composition")

HANDLERS = {
    **identity.HANDLERS,
    **devices.HANDLERS,
    **reports.handlers(DEVICE, registered),
    **connectors.handlers(ThingsAsDevices()),
    **streams.HANDLERS,
}

GATEWAY_SIGN = "gateway connected"

NATS_PORT = 4222
MQTT_PORT = 1883


@dataclass(frozen=True)
class Api:
    """What the doors of `tidemark serve` need. `stopping` is set when the process is asked to end: answers that would
    otherwise never end then do."""

    settings: Settings
    executor: CommandExecutor
    passwords: Argon2Passwords
    tokens: Tokens
    database: Database
    positions: Positions
    directory: Directory
    readings: ReadingQueries
    accounts: Accounts
    dispatcher: Dispatcher
    metrics: Metrics
    readiness: Readiness
    stopping: asyncio.Event
    lines: "Lines"
    connector_types: ConnectorTypes
    connector_line: NatsWorkerLine
    streams: Streaming
    analytics: Queries


@dataclass(frozen=True)
class Lines:
    """The lines to connected devices: those that this process holds, and the way to all others."""

    links: Links
    record: LinkRecord
    line: NatsDeviceLine
    asker: Asker
    totals: FleetTotals
    connections: ConnectionQueries
    pending: Pending


@dataclass(frozen=True)
class Worker:
    """What `tidemark worker` does: every task runs until it is cancelled, and none ends by itself."""

    settings: Settings
    tasks: Mapping[str, Callable[[], Awaitable[None]]]
    database: Database
    metrics: Metrics
    readiness: Readiness


@asynccontextmanager
async def api(settings: Settings, stopping: asyncio.Event) -> AsyncIterator[Api]:
    async with AsyncExitStack() as stack:
        metrics = Metrics("api")
        database = await stack.enter_async_context(Database(settings.database_url))
        positions = Positions(database, patience=settings.freshness_timeout)
        passwords = await stack.enter_async_context(Argon2Passwords())
        await stack.enter_async_context(positions.running())
        outgoing = await stack.enter_async_context(Outgoing(settings.connector_networks))
        nats = await stack.enter_async_context(NatsConnection(settings.nats_url, "tidemark api"))
        # Late, hence early to close: what was accepted is committed while everything else still stands.
        executor, _ = await stack.enter_async_context(write_path(settings.database_url, metrics))
        lines = await stack.enter_async_context(_lines(settings, executor, nats, database, positions, stopping))
        yield Api(
            settings=settings,
            passwords=passwords,
            tokens=Tokens(settings.jwt_secret),
            database=database,
            positions=positions,
            directory=Directory(database),
            readings=ReadingQueries(database),
            accounts=Accounts(database),
            dispatcher=Dispatcher(executor, NatsDevicePublisher(nats), utc_now),
            metrics=metrics,
            readiness=Readiness(_checks(settings, database)),
            stopping=stopping,
            executor=executor,
            lines=lines,
            connector_types=connector_types(settings, database, outgoing),
            connector_line=NatsWorkerLine(nats),
            streams=await stack.enter_async_context(streaming(settings, executor, database)),
            analytics=await stack.enter_async_context(analysing(settings)),
        )


@asynccontextmanager
async def _lines(
    settings: Settings,
    executor: CommandExecutor,
    nats: NatsConnection,
    database: Database,
    positions: Positions,
    stopping: asyncio.Event,
) -> AsyncIterator[Lines]:
    """On leaving, all devices have been said goodbye to; what is left to record of them is recorded."""

    async def position() -> int:
        return (await positions.fresh(ConnectedDevices.name)).position

    links = Links()
    sign = holder_sign(links.holder)
    line = NatsDeviceLine(nats, links)
    asker = Asker(executor, line)
    totals = FleetTotals(nats, lambda: links.totals(asker.waiting["command"], asker.waiting["query"]))
    connections = ConnectionQueries(database)
    async with AsyncExitStack() as stack:
        record = await stack.enter_async_context(LinkRecord(executor, links.holder).running())
        stack.push_async_callback(asker.close)
        pending = await stack.enter_async_context(Pending(stopping, max(0.0, settings.drain_timeout - 2.0)).running())
        await stack.enter_async_context(
            running_beside(
                {
                    "questions to devices": HolderRpc(nats, links, links.holder).run,
                    "totals": totals.run,
                    "sign of the links": lambda: hold_up(settings.database_url, sign, lambda: True),
                    "links as they are recorded": LinkReconciler(links, record, position, connections.held_by).run,
                }
            )
        )
        yield Lines(links, record, line, asker, totals, connections, pending)


@asynccontextmanager
async def worker(settings: Settings) -> AsyncIterator[Worker]:
    async with AsyncExitStack() as stack:
        url = settings.database_url
        metrics = Metrics("worker")
        database = await stack.enter_async_context(Database(settings.database_url, connections=4))
        positions = await stack.enter_async_context(Positions(database).running())
        outgoing = await stack.enter_async_context(Outgoing(settings.connector_networks))
        nats = await stack.enter_async_context(NatsConnection(settings.nats_url, "tidemark worker"))
        # Before whatever writes, hence behind it at the end: what was written last is signed too.
        proof = await stack.enter_async_context(signing(settings, nats, utc_now))
        executor, log = await stack.enter_async_context(write_path(settings.database_url, metrics))
        gateway = MqttGateway(
            GatewaySettings(
                broker=Broker.of_url(settings.mqtt_url),
                topic=settings.mqtt_topic,
                keeps_state=settings.mqtt_state,
                client_id=settings.mqtt_client_id,
                ack_wait=settings.mqtt_ack_wait,
            ),
            executor,
            log,
            utc_now,
            metrics.devices,
            tenure=Tenure(url, f"gateway {settings.mqtt_client_id}"),
        )
        await stack.enter_async_context(gateway.running())
        relay = _relay(settings, nats, metrics)
        rpc = DeviceRpc(nats, gateway.publish_to_devices)
        questions = HolderRpc(nats, gateway, MQTT)
        yield Worker(
            settings=settings,
            tasks={
                "relay": relay.run,
                "relay of messages": _message_relay(settings, nats).run,
                "requests for devices": lambda: _take_while_connected(gateway, rpc),
                "questions to devices": lambda: _take_while_connected(gateway, questions),
                "totals": FleetTotals(nats, gateway.totals).run,
                "expected devices": lambda: gateway.while_connected(lambda: _expect(gateway, database)),
                "links of servers that are gone": _reaper(executor, database).run,
                "connectors": ConnectorWork(settings, executor, database, outgoing, nats, utc_now, positions).run,
                "retention of topics": lambda: retain(settings, executor, database, positions, utc_now),
                "export": lambda: export_again_and_again(settings),
                "gateway sign": lambda: hold_up(url, GATEWAY_SIGN, lambda: metrics.devices.is_connected),
                "projections": lambda: _project(settings, nats, metrics),
                **proof,
            },
            database=database,
            metrics=metrics,
            readiness=Readiness(
                {
                    **_checks(settings, database),
                    "relay": relay_keeps_up(relay, settings.lag_limit),
                    "requests": takes_requests(gateway, rpc, questions),
                }
            ),
        )


async def _take_while_connected(gateway: MqttGateway, rpc: DeviceRpc | HolderRpc) -> None:
    """A gateway that stands by would only refuse what the connected one can do."""
    try:
        await gateway.while_connected(rpc.take)
    finally:
        await rpc.close()


async def _expect(gateway: MqttGateway, database: Database) -> None:
    """What only persons speak of, and what reports over HTTP, is not missed on MQTT."""
    with suppress(LogUnavailableError):
        for device_id in await Directory(database).list_announced():
            gateway.expect(device_id)


def _reaper(executor: CommandExecutor, database: Database) -> LinkReaper:
    connections = ConnectionQueries(database)

    async def living(holders: Sequence[str]) -> Collection[str]:
        signs = {holder_sign(holder): holder for holder in holders}
        return {signs[row[0]] for row in await database.fetch(SIGNS_AMONG, (list(signs),))}

    return LinkReaper(executor, connections.holders, connections.held_by, living)


def _relay(settings: Settings, nats: NatsConnection, metrics: Metrics) -> EventRelay:
    mapper = Mapper(CATALOGUE)
    return EventRelay(
        nats,
        PostgresLogReader(settings.database_url, mapper),
        mapper,
        Lease(settings.database_url, "relay"),
        StreamLimits(max_age_seconds=settings.nats_max_age, max_bytes=settings.nats_max_bytes),
        metrics.relay,
    )


def _message_relay(settings: Settings, nats: NatsConnection) -> MessageRelay:
    url = settings.database_url
    return MessageRelay(
        nats,
        PostgresLogReader(url, Mapper(CATALOGUE)),
        Checkpoint(url, "relay of messages"),
        Lease(url, "relay of messages"),
        StreamLimits(max_age_seconds=settings.nats_max_age, max_bytes=settings.nats_max_bytes),
    )


async def _project(settings: Settings, nats: NatsConnection, metrics: Metrics) -> None:
    """Keeps the read models in one worker of several; another takes over when that one is gone."""
    url, mapper = settings.database_url, Mapper(CATALOGUE)

    @asynccontextmanager
    async def log_feed() -> AsyncIterator[Feed]:
        async with PostgresLogReader(url, mapper) as reader:
            yield Feed(reader)

    @asynccontextmanager
    async def live_feed() -> AsyncIterator[Feed]:
        async with PostgresLogReader(url, mapper) as reader:
            live = NatsLiveEvents(nats, CATALOGUE, reader.identity)
            try:
                yield Feed(reader, live)
            finally:
                await live.close()

    follow = live_feed if settings.projection_feed == "nats" else log_feed
    runner = ProjectionRunner(url, READ_MODELS, follow, log_feed, metrics.projections)
    lease = Lease(url, "projections")
    while True:
        with suppress(LeaseLostError):
            async with lease.held(), asyncio.TaskGroup() as tasks:
                tasks.create_task(runner.run())
                tasks.create_task(_rebuild_outdated(url, mapper))


async def _rebuild_outdated(url: str, mapper: Mapper) -> None:
    """Read models whose `apply` became another in this version are computed anew while the old ones serve."""
    while True:
        try:
            if models := await outdated(url, READ_MODELS):
                logger.info("rebuilding %s for this version", ", ".join(model.name for model in models))
                async with PostgresLogReader(url, mapper) as reader:
                    await rebuild(url, models, reader)
            return
        except (psycopg.OperationalError, LogUnavailableError, RebuildRunningError) as reason:
            logger.warning("the rebuild was interrupted (%s), starting over", reason)
            await asyncio.sleep(5)


@asynccontextmanager
async def write_path(
    database_url: str, metrics: Metrics | None = None
) -> AsyncIterator[tuple[CommandExecutor, PostgresEventLog]]:
    """The executor, and the log below it."""
    async with (
        PostgresEventLog(database_url, Mapper(CATALOGUE)) as log,
        CommandExecutor(log, HANDLERS, utc_now, metrics.commands if metrics else None).running() as executor,
    ):
        yield executor, log


def utc_now() -> datetime:
    """The clock."""
    return datetime.now(UTC)


def _checks(settings: Settings, database: Database) -> Mapping[str, Check]:
    return {
        "database": database_is_reachable(database),
        "nats": listens("NATS", settings.nats_url, NATS_PORT, greeting=b"INFO "),
        "broker": listens("the MQTT broker", settings.mqtt_url, MQTT_PORT),
        # That the broker answers is not enough: before a worker has subscribed, what devices publish is lost.
        "gateway": is_signalled(database, GATEWAY_SIGN, "no worker is connected to the MQTT broker"),
        "projections": projections_keep_up(database, settings.lag_limit),
    }
