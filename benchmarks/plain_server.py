"""`POST /sensor-readings` as one writes it with the library alone: the same framework, server, token check and body,
and behind them load, act, save in a thread."""

import asyncio
import os
from dataclasses import dataclass
from typing import Any

import uvicorn
from litestar import Litestar, Request, Response, get, post
from litestar.datastructures import State

from adapters.security.tokens import Tokens
from benchmarks.plain_library import PlainReadings, environment
from entrypoints.bearers import Bearers, LockedOut
from entrypoints.lambda_iot.bodies.readings import record_reading_body
from entrypoints.lambda_iot.door import require_token
from entrypoints.lambda_iot.errors import EXCEPTION_HANDLERS
from entrypoints.lambda_iot.views import answer
from projections.database import Database
from projections.identity.accounts import Accounts


@dataclass(frozen=True)
class PlainDoor:
    """As much of the real door as the token check asks for."""

    bearers: Bearers
    readings: PlainReadings


@get("/health")
async def health() -> Response[bytes]:
    return answer({"status": "ok"})


@post("/sensor-readings", before_request=require_token)
async def create_reading(request: Request[Any, Any, Any]) -> Response[bytes]:
    reading = record_reading_body(await request.body())
    door: PlainDoor = request.app.state["lambda_iot"]
    position = await asyncio.to_thread(door.readings.record, reading.sensor_id, reading.value, reading.value_at)
    return answer({"id": position}, 201, position)


async def main() -> None:
    url = os.environ["TIDEMARK_DATABASE_URL"]
    with PlainReadings(env=environment(url)) as readings:
        async with Database(url) as database:
            door = PlainDoor(
                Bearers(Tokens(os.environ["TIDEMARK_JWT_SECRET"]), LockedOut(Accounts(database))), readings
            )
            app = Litestar(
                [health, create_reading],
                exception_handlers=EXCEPTION_HANDLERS,
                state=State({"lambda_iot": door}),
                openapi_config=None,
            )
            port = int(os.environ["TIDEMARK_HTTP_PORT"])
            config = uvicorn.Config(app, port=port, log_level="warning", access_log=False, http="httptools")
            await uvicorn.Server(config).serve()


if __name__ == "__main__":
    import uvloop

    uvloop.run(main())
