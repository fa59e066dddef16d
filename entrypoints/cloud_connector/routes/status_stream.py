"""The live status over SSE (contract 2.5): what changes from now on, without a burst at the beginning."""

import asyncio

from entrypoints.cloud_connector.door import Door
from entrypoints.cloud_connector.exchange import ConnectorExchange

SIGN_OF_LIFE_SECONDS = 15.0

HEADERS = (
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-cache"),
    (b"connection", b"keep-alive"),
    (b"x-accel-buffering", b"no"),
)


async def stream_status(door: Door, exchange: ConnectorExchange) -> None:
    """Until the client hangs up or the process is to end. Raises TooManySubscribersError."""
    with door.ticker.subscribed() as subscriber:
        await exchange.begin(200, HEADERS)
        if exchange.method == "HEAD":
            await exchange.end()
            return
        await exchange.write(b": the status follows\n\n")
        leaving = asyncio.create_task(exchange.gone(), name="status subscriber")
        leaving.add_done_callback(lambda _: subscriber.wake())
        clock = asyncio.get_running_loop().time
        spoken = clock()
        try:
            while not leaving.done() and not door.stopping.is_set():
                chunk = await subscriber.changes(spoken + SIGN_OF_LIFE_SECONDS - clock())
                if clock() - spoken >= SIGN_OF_LIFE_SECONDS:
                    chunk += b": still here\n\n"
                    spoken = clock()
                if chunk:
                    await exchange.write(chunk)
            await exchange.end()
        finally:
            leaving.cancel()
