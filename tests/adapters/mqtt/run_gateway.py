"""A gateway in a process of its own, to be killed. With `mute` it commits but never acknowledges, with `tenure` it
stands by while another one is connected."""

import asyncio
import sys

from adapters.eventstore.tenure import Tenure
from adapters.mqtt.session import Session
from tests.adapters.mqtt.running import running


async def main(mqtt_url: str, database_url: str, topic: str, flags: list[str]) -> None:
    if "mute" in flags:
        Session.acknowledge = lambda self, messages: None  # type: ignore[method-assign]  # dies before it gets to that
    tenure = Tenure(database_url, f"gateway {topic}") if "tenure" in flags else None
    async with running(mqtt_url, database_url, topic, tenure=tenure) as parts:
        await parts.connected()
        print("connected", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:]))
