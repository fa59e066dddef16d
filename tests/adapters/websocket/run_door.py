"""A process that holds links, to be killed: `python -m tests.adapters.websocket.run_door DATABASE_URL`. It says on
which port it listens and under which name it holds its links."""

import asyncio
import sys

from adapters.eventstore.sign import hold_up, holder_sign
from tests.adapters.websocket.server import opened


async def main(database_url: str) -> None:
    async with opened(database_url) as door:
        holding = asyncio.create_task(hold_up(database_url, holder_sign(door.links.holder), lambda: True))
        print(door.port, door.links.holder, flush=True)
        await holding


asyncio.run(main(sys.argv[1]))
