"""Follows the events of a Tidemark installation from NATS.

    python examples/subscriber.py --server nats://127.0.0.1:4222 --from new
    python examples/subscriber.py --from 1000 --context devices --json
    python examples/subscriber.py --from all --durable billing

Needs nothing but nats-py. Without `--durable` it remembers nothing and reads from where it is told; with it the server
remembers what was printed, and the next start goes on from there.

It is written to be copied: it shows how to start, how to go on after NATS was away or was wiped, and how to end.
"""

import argparse
import asyncio
import json
import signal
import sys
from contextlib import suppress

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.js.errors import NotFoundError

STREAM = "EVENTS"
BATCH = 200
FETCH_SECONDS = 5.0
RETRY_SECONDS = 1.0


class Subscriber:
    """Prints events until it is stopped, whatever happens to the server in between."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._next: int | None = None  # the position to print next, known once the stream was seen

    async def run(self) -> None:
        while True:
            client = Client()
            try:
                # A new client after every loss, and a new subscription with it: nothing stale can be left over.
                await client.connect(
                    self._options.server, allow_reconnect=False, max_reconnect_attempts=1, error_cb=_ignore
                )
                await self._follow(client.jetstream())
            except NotFoundError:
                _say("the stream is not there (yet), trying again")
            except (nats.errors.Error, OSError) as error:
                _say(f"NATS is away ({type(error).__name__}), trying again")
            finally:
                with suppress(nats.errors.Error, OSError):
                    await client.close()
            await asyncio.sleep(RETRY_SECONDS)

    async def _follow(self, stream: JetStreamContext) -> None:
        subscription = await self._subscribe(stream)
        _say(f"following {self._subject}")
        while True:
            try:
                messages = await subscription.fetch(BATCH, FETCH_SECONDS)
            except nats.errors.TimeoutError:
                # An empty fetch ends like this, and so does one from a consumer that is gone: this tells them apart.
                await subscription.consumer_info()
                continue
            for message in messages:
                self._show(message)
            if self._options.durable:
                await messages[-1].ack()  # stands for all before it

    async def _subscribe(self, stream: JetStreamContext) -> JetStreamContext.PullSubscription:
        last = (await stream.stream_info(STREAM)).state.last_seq
        if self._next is None:
            start = self._options.start
            self._next = int(start) if start.isdigit() else last + 1 if start == "new" else 1
        elif last < self._next - 1:
            # The stream was wiped and is filled again with the same events under the same positions.
            _say(f"the stream is being filled again, it is at {last}; waiting for {self._next}")
        config = ConsumerConfig(
            deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
            opt_start_seq=max(self._next, 1),
            ack_policy=AckPolicy.NONE,
            inactive_threshold=60,
        )
        if self._options.durable:
            with suppress(NotFoundError):
                known = (await stream.consumer_info(STREAM, self._options.durable)).config.filter_subject
                if known != self._subject:
                    sys.exit(f"the consumer {self._options.durable} follows {known}; choose another name")
                self._next = 1  # the server knows better
                return await stream.pull_subscribe_bind(self._options.durable, STREAM)
            config.ack_policy, config.inactive_threshold = AckPolicy.ALL, None
        return await stream.pull_subscribe(self._subject, self._options.durable, STREAM, config)

    def _show(self, message: Msg) -> None:
        headers = message.headers or {}
        position = message.metadata.sequence.stream
        if self._next is not None and position < self._next:
            return  # sent again; every event has its position for ever
        self._next = position + 1
        data = json.loads(message.data) if message.data else None
        if self._options.json:
            attributes = {name[3:]: value for name, value in headers.items() if name.startswith("ce-")}
            print(json.dumps({**attributes, "position": position, "data": data}), flush=True)
        else:
            kind, subject, time = (headers.get(f"ce-{name}", "") for name in ("type", "subject", "time"))
            print(f"{position:>8}  {time}  {kind}  {subject}  {json.dumps(data)}", flush=True)

    @property
    def _subject(self) -> str:
        return f"tidemark.events.{self._options.context}.>" if self._options.context else "tidemark.events.>"


async def _ignore(error: Exception) -> None:
    """The loss of the server is said once, where it is handled."""


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _start(text: str) -> str:
    if text not in ("new", "all") and not text.isdigit():
        raise argparse.ArgumentTypeError("a position, 'new' or 'all'")
    return text


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Prints the events of a Tidemark installation as they happen.")
    parser.add_argument("--server", default="nats://127.0.0.1:4222", help="the NATS server (%(default)s)")
    parser.add_argument(
        "--from", dest="start", type=_start, default="new", metavar="N|new|all", help="where to begin (%(default)s)"
    )
    parser.add_argument("--context", help="only identity, devices, connectors, metrics or streams")
    parser.add_argument("--durable", metavar="NAME", help="let the server remember what was printed")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    return parser.parse_args()


async def main() -> None:
    following = asyncio.create_task(Subscriber(_options()).run())
    loop = asyncio.get_running_loop()
    for ending in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(ending, following.cancel)
    with suppress(asyncio.CancelledError):
        await following


if __name__ == "__main__":
    asyncio.run(main())
