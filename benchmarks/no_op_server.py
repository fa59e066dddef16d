"""A POST that takes its body and does nothing, on the server that we use: what everything else is measured against."""

import os
from collections.abc import Awaitable, Callable
from typing import Any

import uvicorn

_HEADERS = [(b"content-length", b"2"), (b"content-type", b"text/html; charset=utf-8")]


async def app(
    scope: dict[str, Any],
    receive: Callable[[], Awaitable[dict[str, Any]]],
    send: Callable[[dict[str, Any]], Awaitable[None]],
) -> None:
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
    await send({"type": "http.response.body", "body": b"OK"})


async def main() -> None:
    config = uvicorn.Config(
        app,
        port=int(os.environ["NO_OP_PORT"]),
        log_level="warning",
        access_log=False,
        http="httptools",
        lifespan="off",
        server_header=False,
    )
    await uvicorn.Server(config).serve()


if __name__ == "__main__":
    import uvloop

    uvloop.run(main())
