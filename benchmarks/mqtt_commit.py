"""Readings over MQTT at QoS 1, from the first publish until all of them are in the log.

`tidemark up` as it is: eight connections publish to the broker as fast as it acknowledges, the gateway takes the
messages, commits and then acknowledges them; projections, relay and NATS work meanwhile. Once with one reading a
message and once with a hundred. The clock stops when the log holds every one of them, and they are counted in the
log. Afterwards the read models catch up before the next turn.
"""

import asyncio
from collections.abc import Sequence
from time import perf_counter
from uuid import UUID

from psycopg import AsyncConnection

from benchmarks import mqtt_load
from benchmarks.deployment import Deployment, up
from benchmarks.fleet import announce, fleet
from benchmarks.measure import Bench, Figure, Spread, require_equal

TOPIC = "lambdaiot"
SINGLE_MESSAGES = 16_000
HUNDRED_MESSAGES = 1_600
PATIENCE_SECONDS = 60.0

_READINGS = """
    SELECT coalesce(sum(json_array_length(convert_from(state, 'UTF8')::json #> '{data,readings}')), 0),
           coalesce(max(notification_id), 0)
    FROM events WHERE notification_id > %s AND topic = 'devices.readings.recorded.v1'
"""


async def measure(bench: Bench) -> list[Figure]:
    members = fleet(200)
    topics = [(f"{TOPIC}/{device.id}/readings", device.sensors) for device in members]
    async with up() as deployment:
        await announce(deployment.database, members)
        await deployment.settle()
        single, hundred = [], []
        for _ in bench.rounds():
            single.append(await commit_rate(deployment, topics, SINGLE_MESSAGES, 1))
            hundred.append(await commit_rate(deployment, topics, HUNDRED_MESSAGES, 100))
    what = "MQTT QoS 1 readings committed"
    return [
        Figure(f"{what}, one a message", Spread.of(single), "/s", at_least=8_000),
        Figure(f"{what}, 100 a message", Spread.of(hundred), "/s", at_least=60_000),
    ]


async def commit_rate(
    deployment: Deployment, topics: Sequence[tuple[str, Sequence[UUID]]], messages: int, per_message: int
) -> float:
    """Readings a second from the first publish to the last commit."""
    expected = messages * per_message
    async with await AsyncConnection.connect(deployment.database, autocommit=True) as connection:
        cursor = await connection.execute("SELECT coalesce(max(notification_id), 0) FROM events")
        row = await cursor.fetchone()
        position = int(row[0]) if row else 0
        load = asyncio.create_task(mqtt_load.run(deployment.urls["mqtt"], topics, messages, per_message))
        stored = 0
        last_change = perf_counter()
        while stored < expected and perf_counter() - last_change < PATIENCE_SECONDS:
            await asyncio.sleep(0.05)
            cursor = await connection.execute(_READINGS, (position,))
            row = await cursor.fetchone()
            if row and row[0]:
                stored, position = stored + int(row[0]), int(row[1])
                last_change = perf_counter()
    started = await load
    require_equal(expected, stored, "readings published")
    await deployment.settle()
    return stored / (last_change - started)
