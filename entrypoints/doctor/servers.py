"""The servers: PostgreSQL, NATS, the MQTT broker, and what is in them."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from urllib.parse import unquote, urlsplit
from uuid import uuid4

import aiomqtt
import nats
import psycopg
from nats.errors import Error as NatsError
from nats.js.errors import NotFoundError
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from adapters.eventstore.schema import newest_revision
from entrypoints.doctor.finding import Finding, bad, good, note
from entrypoints.doctor.machine import address
from projections.database import Database
from projections.positions import projection_statuses

PATIENCE_SECONDS = 3.0
MOST_SKEW_SECONDS = 2.0
MOST_LAG = 10_000
STREAM = "EVENTS"


async def examine_servers(urls: Mapping[str, str]) -> AsyncIterator[Finding]:
    """Everything that can be asked over the network, nothing is changed."""
    head: int | None = None
    try:
        async with await AsyncConnection.connect(urls["postgres"], autocommit=True, connect_timeout=3) as connection:
            yield good("PostgreSQL", f"answers at {address(urls['postgres'])}")
            yield await _clock(connection)
            yield await _migrated(connection)
            yield await _durable(connection)
            yield await _unlocked(connection)
            head = await _head(connection)
    except psycopg.Error as error:
        said = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        yield bad("PostgreSQL", f"{address(urls['postgres'])}: {said}", "start it, or correct TIDEMARK_DATABASE_URL")
    if head is not None:
        async for finding in _read_models(urls["postgres"]):
            yield finding
    if urls.get("nats"):
        yield await _nats(urls["nats"], head)
    if urls.get("mqtt"):
        yield await _mqtt(urls["mqtt"])


async def _clock(connection: AsyncConnection[TupleRow]) -> Finding:
    row = await (await connection.execute("SELECT clock_timestamp()")).fetchone()
    skew = abs((datetime.now(UTC) - row[0]).total_seconds()) if row else 0.0
    if skew > MOST_SKEW_SECONDS:
        return bad("Clock", f"{skew:.1f} s from PostgreSQL's", "let NTP set the clocks of both machines")
    return good("Clock", f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC, {skew * 1000:.0f} ms from PostgreSQL's")


async def _migrated(connection: AsyncConnection[TupleRow]) -> Finding:
    wanted = newest_revision()
    try:
        row = await (await connection.execute("SELECT version_num FROM alembic_version")).fetchone()
    except psycopg.errors.UndefinedTable:
        row = None
    if row is None or row[0] != wanted:
        found = row[0] if row else "nothing"
        return bad("Schema", f"{found} is there, {wanted} is needed", "run `tidemark migrate`")
    return good("Schema", f"revision {wanted}")


async def _durable(connection: AsyncConnection[TupleRow]) -> Finding:
    wrong = []
    for name in ("fsync", "full_page_writes", "synchronous_commit"):
        row = await (await connection.execute("SELECT current_setting(%s)", (name,))).fetchone()
        if row is None or row[0] in ("off", "local"):
            wrong.append(name)
    if wrong:
        return bad("Durability", f"{', '.join(wrong)} is off", "switch it on: a crash loses acknowledged events")
    return good("Durability", "fsync, full_page_writes and synchronous_commit are on")


async def _unlocked(connection: AsyncConnection[TupleRow]) -> Finding:
    """Whether the log can be appended to: nobody keeps it locked."""
    try:
        async with connection.transaction(force_rollback=True):
            await connection.execute("SET LOCAL lock_timeout = '2s'")
            await connection.execute("LOCK TABLE events IN EXCLUSIVE MODE")
    except psycopg.errors.LockNotAvailable:
        return bad("Log", "is locked by somebody for over 2 s", "look for the session in pg_stat_activity and end it")
    except psycopg.errors.UndefinedTable:
        return bad("Log", "is not there", "run `tidemark migrate`")
    return good("Log", "can be appended to")


async def _head(connection: AsyncConnection[TupleRow]) -> int | None:
    try:
        row = await (await connection.execute("SELECT coalesce(max(notification_id), 0) FROM events")).fetchone()
    except psycopg.errors.UndefinedTable:
        return None
    return int(row[0]) if row else None


async def _read_models(url: str) -> AsyncIterator[Finding]:
    async with Database(url, connections=1) as database:
        statuses = await projection_statuses(database)
    if not statuses:
        yield bad("Read models", "no worker has run yet", "start `tidemark worker`")
    for status in statuses:
        what = f"Read model {status.name}"
        shown = f"at {status.position}, {status.lag} behind, {status.state}"
        if status.state == "failed":
            yield bad(what, f"{shown}: {status.detail}", "see the worker's log; it is tried again by itself")
        elif status.lag > MOST_LAG or status.state == "stopped":
            yield bad(what, shown, "see that a worker runs, and its log")
        else:
            yield good(what, shown)


async def _nats(url: str, head: int | None) -> Finding:
    where = address(url)
    try:
        client = await nats.connect(
            [one.strip() for one in url.split(",")],
            connect_timeout=PATIENCE_SECONDS,
            allow_reconnect=False,
            max_reconnect_attempts=1,
            error_cb=_ignore,
        )
    except (NatsError, OSError, TimeoutError) as error:
        return bad(
            "NATS", f"{where}: {type(error).__name__} {error}".rstrip(), "start it, or correct TIDEMARK_NATS_URL"
        )
    try:
        context = client.jetstream(timeout=PATIENCE_SECONDS)
        await context.account_info()
        last = (await context.stream_info(STREAM)).state.last_seq
    except NotFoundError:
        if not head:
            return note("NATS", f"answers at {where}; the stream {STREAM} is not there yet")
        return bad("NATS", f"the stream {STREAM} is missing", "see that a worker runs: its relay fills it from the log")
    except (NatsError, OSError, TimeoutError) as error:
        return bad("NATS", f"JetStream: {type(error).__name__} {error}".rstrip(), "switch JetStream on")
    finally:
        await client.close()
    behind = (head or 0) - last
    shown = f"answers at {where}, {STREAM} at {last}" + (f" of {head}" if head is not None else "")
    if behind > MOST_LAG:
        return bad("NATS", f"{shown}, {behind} behind", "see that a worker runs, and its log")
    return good("NATS", shown)


async def _ignore(_: Exception) -> None:
    """What matters is raised as well."""


async def _mqtt(url: str) -> Finding:
    parts = urlsplit(url)
    secure = parts.scheme == "mqtts"
    client = aiomqtt.Client(
        parts.hostname or "localhost",
        parts.port or (8883 if secure else 1883),
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
        identifier=f"tidemark-doctor-{uuid4().hex[:8]}",
        tls_params=aiomqtt.TLSParameters() if secure else None,
        timeout=PATIENCE_SECONDS,
    )
    try:
        async with asyncio.timeout(PATIENCE_SECONDS + 1), client:
            return good("MQTT", f"answers at {address(url)}")
    except (aiomqtt.MqttError, TimeoutError) as error:
        return bad("MQTT", f"{address(url)}: {error}", "start the broker, or correct TIDEMARK_MQTT_URL")
