"""From the process that a person asks to the process that holds the device's connection: request/reply over NATS.

The caller gives a deadline (Unix time) with a question, and what comes after it is not passed on to the device; as in
`device_rpc.py`, that takes clocks that agree to a second.
"""

import asyncio
import logging
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from typing import Literal, Protocol
from uuid import UUID

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.errors import MaxPayloadError, NoRespondersError

from adapters.nats.connection import NatsConnection
from adapters.nats.device_rpc import DEADLINE
from adapters.nats.responder import Responder
from application.ports import (
    DeviceLostError,
    DeviceSilentError,
    Holder,
    NotConnectedError,
    NotPublishedError,
    Question,
    Road,
    Traffic,
)

PREFIX = "tidemark.rpc"
MQTT = "mqtt"
"""The name under which whichever MQTT gateway is connected to the broker answers."""

# What the holder's own answer that the device was silent may take to come back.
ANSWER_SECONDS = 0.3
TRAFFIC_SECONDS = 1.0
# Whatever a clock says, no question waits longer.
LONGEST_SECONDS = 60.0
# A message of NATS holds 1 MiB, and what is told of one connection takes up to a hundred bytes.
AT_ONCE = 4_000

log = logging.getLogger("tidemark.nats")


class LocalHolder(Holder, Protocol):
    """What this process holds itself."""

    @property
    def holder(self) -> str: ...


class _Ask(msgspec.Struct):
    connection_id: UUID
    question: Question


class _Outcome(msgspec.Struct, omit_defaults=True):
    """`answer` is what the device said; else `failure` names what went wrong, and `reason` says it."""

    answer: str | None = None
    failure: Literal["not connected", "lost", "silent", "refused"] | None = None
    reason: str = ""


class _Close(msgspec.Struct):
    connection_id: UUID
    code: int
    reason: str


_FAILURES = {
    "not connected": NotConnectedError,
    "lost": DeviceLostError,
    "silent": DeviceSilentError,
    "refused": NotPublishedError,
}


class NatsDeviceLine:
    """Fills DeviceLine. What this process holds itself is reached without NATS."""

    def __init__(self, connection: NatsConnection, links: LocalHolder | None = None) -> None:
        self._connection = connection
        self._links = links

    async def ask(self, road: Road, question: Question, timeout: float) -> str:
        if self._links is not None and self._is_own(road.holder):
            return await self._links.ask(road.connection_id, question, timeout)
        client = await self._client()
        data = msgspec.json.encode(_Ask(road.connection_id, question))
        headers = {DEADLINE: f"{time.time() + timeout:.3f}"}
        try:
            reply = await client.request(
                f"{PREFIX}.ask.{_name(road)}", data, timeout=timeout + ANSWER_SECONDS, headers=headers
            )
            outcome = msgspec.json.decode(reply.data, type=_Outcome)
        except NoRespondersError:
            if road.through == "mqtt":
                raise NotPublishedError("no gateway is connected to the broker") from None
            raise NotConnectedError("the process that held the device's connection is gone") from None
        except MaxPayloadError:
            raise NotPublishedError("the message is too large") from None
        except TimeoutError as silence:
            raise DeviceSilentError("nobody answered in time") from silence
        except (NatsError, OSError, msgspec.MsgspecError) as interrupted:
            raise NotPublishedError("the way to the device is interrupted") from interrupted
        if outcome.failure is not None:
            raise _FAILURES[outcome.failure](outcome.reason)
        return outcome.answer or ""

    async def traffic(self, roads: Collection[Road]) -> Mapping[UUID, Traffic]:
        by_name: dict[str, list[UUID]] = {}
        for road in roads:
            by_name.setdefault(_name(road), []).append(road.connection_id)
        told: list[Traffic] = []
        if self._links is not None:
            told += self._links.traffic(by_name.pop(self._links.holder, ()))
        if by_name and self._connection.connected:
            requests = (self._traffic(name, ids) for name, all_ids in by_name.items() for ids in _chunks(all_ids))
            for answered in await asyncio.gather(*requests):
                told += answered
        return {traffic.connection_id: traffic for traffic in told}

    async def close(self, holder: str, connection_id: UUID, code: int, reason: str) -> None:
        """Ends a connection that another one has replaced. While NATS is away it is not heard elsewhere; whoever holds
        the connection finds out from the record."""
        if self._links is not None and self._is_own(holder):
            self._links.close(connection_id, code, reason)
            return
        with suppress(NatsError, OSError, NotPublishedError):
            client = await self._client()
            await client.publish(f"{PREFIX}.close.{holder}", msgspec.json.encode(_Close(connection_id, code, reason)))

    def _is_own(self, holder: str) -> bool:
        return self._links is not None and holder == self._links.holder

    async def _client(self) -> Client:
        if not self._connection.connected:
            raise NotPublishedError("NATS is away")
        return await self._connection.client()

    async def _traffic(self, name: str, connection_ids: Sequence[UUID]) -> Sequence[Traffic]:
        try:
            client = await self._client()
            data = msgspec.json.encode(connection_ids)
            reply = await client.request(f"{PREFIX}.traffic.{name}", data, timeout=TRAFFIC_SECONDS)
            return msgspec.json.decode(reply.data, type=list[Traffic])
        except (NotPublishedError, NatsError, OSError, TimeoutError, msgspec.MsgspecError):
            return ()  # what is not known is left out


class HolderRpc(Responder):
    """The holder's side. Several of one name share the requests."""

    def __init__(self, connection: NatsConnection, holder: Holder, name: str) -> None:
        answers = {"ask": self._answer, "traffic": self._tell, "close": self._close}
        super().__init__(connection, name, {f"{PREFIX}.{kind}.{name}": answer for kind, answer in answers.items()})
        self._holder = holder

    async def _answer(self, request: Msg) -> None:
        outcome = await self._ask(request)
        try:
            await request.respond(msgspec.json.encode(outcome))
        except MaxPayloadError:
            too_large = _Outcome(failure="lost", reason="the device's answer is too large")
            await request.respond(msgspec.json.encode(too_large))

    async def _ask(self, request: Msg) -> _Outcome:
        try:
            left = float((request.headers or {})[DEADLINE]) - time.time()
            asked = msgspec.json.decode(request.data, type=_Ask)
        except (KeyError, ValueError, msgspec.MsgspecError):
            return _Outcome(failure="refused", reason="the question cannot be read")
        if left <= 0:
            return _Outcome(failure="refused", reason="the question came too late")
        try:
            answer = await self._holder.ask(asked.connection_id, asked.question, min(left, LONGEST_SECONDS))
        except NotConnectedError as error:
            return _Outcome(failure="not connected", reason=str(error))
        except DeviceLostError as error:
            return _Outcome(failure="lost", reason=str(error))
        except DeviceSilentError as error:
            return _Outcome(failure="silent", reason=str(error))
        except NotPublishedError as error:
            return _Outcome(failure="refused", reason=str(error))
        return _Outcome(answer=answer)

    async def _tell(self, request: Msg) -> None:
        with suppress(msgspec.MsgspecError):
            asked = msgspec.json.decode(request.data, type=list[UUID])
            await request.respond(msgspec.json.encode(self._holder.traffic(asked)))

    async def _close(self, request: Msg) -> None:
        with suppress(msgspec.MsgspecError):
            asked = msgspec.json.decode(request.data, type=_Close)
            self._holder.close(asked.connection_id, asked.code, asked.reason)


def _name(road: Road) -> str:
    return MQTT if road.through == "mqtt" else road.holder


def _chunks(ids: Sequence[UUID]) -> Iterator[list[UUID]]:
    rest = iter(ids)
    while chunk := list(islice(rest, AT_ONCE)):
        yield chunk
