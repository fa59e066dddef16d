"""Questions to devices, from their publication to the answer (contract devices 2.2 and 2.3, by the topics of MQTT)."""

import asyncio
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from time import time
from typing import Final, Protocol
from uuid import UUID

import msgspec

from adapters.mqtt.topics import Topics
from application.ports import DeviceLostError, DeviceSilentError, NotPublishedError, Question

MOST_OPEN: Final = 256
# The broker confirms at once, or is not there.
PUBLISH_SECONDS: Final = 2.0


class Publish(Protocol):
    def __call__(self, topic: str, payload: bytes, device_id: UUID, timeout: float) -> Awaitable[None]:
        """Returns when the broker has taken it. Raises NotPublishedError, and then it is not sent later."""


class _Message(msgspec.Struct):
    id: str
    type: str
    payload: str
    timestamp: int


class Questions:
    """Asks, and matches what comes back by device and id. What nobody waits for any more is dropped."""

    def __init__(self, topics: Topics, publish: Publish) -> None:
        self._topics = topics
        self._publish = publish
        self._open: dict[UUID, dict[str, asyncio.Future[str]]] = {}

    async def ask(self, device_id: UUID, question: Question, timeout: float) -> str:
        """The device's answer. Raises NotPublishedError, DeviceLostError when the device says goodbye meanwhile, and
        DeviceSilentError after `timeout` seconds."""
        until = asyncio.get_running_loop().time() + timeout
        id = str(question.id)
        message = _Message(id, question.kind, question.payload, int(time()))
        with self._opened(device_id, id) as answer:
            try:
                topic = self._topics.commands(device_id)
                await self._publish(topic, msgspec.json.encode(message), device_id, min(timeout, PUBLISH_SECONDS))
            except NotPublishedError:
                if not answer.done():
                    raise
            try:
                async with asyncio.timeout_at(until):
                    return await answer
            except TimeoutError:
                raise DeviceSilentError("the device did not answer in time") from None

    def answered(self, device_id: UUID, id: str, payload: str) -> None:
        """A device answers, perhaps late, perhaps once more, perhaps what it was never asked."""
        answer = self._open.get(device_id, {}).get(id)
        if answer is not None and not answer.done():
            answer.set_result(payload)

    def lost(self, device_id: UUID) -> None:
        """The device is gone, and does not answer what it was asked."""
        for answer in self._open.get(device_id, {}).values():
            if not answer.done():
                answer.set_exception(DeviceLostError("the device went away before it answered"))

    @contextmanager
    def _opened(self, device_id: UUID, id: str) -> Iterator[asyncio.Future[str]]:
        asked = self._open.setdefault(device_id, {})
        if len(asked) >= MOST_OPEN:
            raise NotPublishedError(f"{MOST_OPEN} questions to the device are waiting for its answer")
        if id in asked:
            raise NotPublishedError("the device is being asked just that")
        answer = asked[id] = asyncio.get_running_loop().create_future()
        try:
            yield answer
        finally:
            del asked[id]
            if not asked:
                del self._open[device_id]
            if answer.done() and not answer.cancelled():
                answer.exception()  # looked at, or asyncio complains in the log that nobody did
