"""A device that connects itself to a Tidemark installation by WebSocket, and answers what it is asked.

    python examples/device.py --server ws://127.0.0.1:9090 --id lamp-1 --name Lamp --type lamp
    python examples/device.py --server wss://iot.example.com --id lamp-1 --token "$TOKEN"

Needs nothing but websockets. It is written to be copied: it comes back after the server was away, waiting longer each
time, and leaves the place to a newer connection under its id.
"""

import argparse
import asyncio
import json
import random
import signal

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

# The server closes a connection with this code when a newer one of the same device has come.
REPLACED = 4409
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0


async def run(options: argparse.Namespace) -> None:
    headers = {"Device-Id": options.id, "Device-Name": options.name, "Device-Type": options.type}
    if options.token:
        headers["Authentication"] = f"Bearer {options.token}"
    pause = FIRST_PAUSE
    while True:
        try:
            async with connect(f"{options.server.rstrip('/')}/connect", additional_headers=headers) as server:
                print(f"connected as {options.id}", flush=True)
                pause = FIRST_PAUSE
                await serve(server)
        except InvalidStatus as refused:
            print(f"refused with status {refused.response.status_code}", flush=True)
            if refused.response.status_code < 500:
                return
        except ConnectionClosed as closed:
            print(f"disconnected: {closed}", flush=True)
            if closed.rcvd and closed.rcvd.code == REPLACED:
                return
        except (OSError, TimeoutError) as away:
            print(f"the server is away: {away}", flush=True)
        await asyncio.sleep(random.uniform(pause / 2, pause))
        pause = min(pause * 2, LONGEST_PAUSE)


async def serve(server: ClientConnection) -> None:
    """Until the connection ends."""
    while True:
        question = json.loads(await server.recv())
        print(f"{question['type']}: {question['payload']}", flush=True)
        await server.send(json.dumps({"id": question["id"], "payload": answer(question["payload"])}))


def answer(payload: str) -> str:
    """What a device does is its own business. This one says that it is done."""
    return f"done: {payload}"


def main() -> None:
    parser = argparse.ArgumentParser(description="A device that answers what it is asked.")
    parser.add_argument("--server", default="ws://127.0.0.1:9090", help="scheme, host and port, and a path if any")
    parser.add_argument("--id", required=True, help="what the device calls itself")
    parser.add_argument("--name", default="")
    parser.add_argument("--type", default="")
    parser.add_argument("--token", default="", help="where the connector asks for tokens: one whose subject is the id")
    options = parser.parse_args()

    async def until_stopped() -> None:
        running = asyncio.ensure_future(run(options))
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, running.cancel)
        await asyncio.wait([running])
        if not running.cancelled():
            running.result()

    asyncio.run(until_stopped())


if __name__ == "__main__":
    main()
