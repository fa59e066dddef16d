"""From the processes that serve people to the worker that runs the clients of connectors: request/reply over NATS.

The caller gives a deadline (Unix time), and what comes after it is not begun; as in `device_rpc.py`, that takes clocks
that agree to a second.
"""

import asyncio
import time
from typing import Any, Final, Literal, Protocol
from uuid import UUID

import msgspec
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.errors import NoRespondersError

from adapters.nats.connection import NatsConnection
from adapters.nats.device_line import ANSWER_SECONDS, LONGEST_SECONDS, PREFIX
from adapters.nats.device_rpc import DEADLINE
from adapters.nats.responder import Responder
from application.connectors.connector_type import ActionOutcome, AskedOfThing, OutageError, ThingStaysError
from application.connectors.line import WorkerAwayError
from application.executor import CommandConflictError, Overloaded
from application.ports import LogUnavailableError
from domain.connectors.client import ClientNotFoundError
from domain.event import Origin

ACT: Final = f"{PREFIX}.connectors.act"
REMOVE: Final = f"{PREFIX}.connectors.remove"


class Clients(Protocol):
    """Those that this process runs: `application.connectors.runtime`."""

    async def act(self, client_id: UUID, asked: AskedOfThing) -> ActionOutcome: ...

    async def remove(self, client_id: UUID, origin: Origin) -> int: ...


class _Act(msgspec.Struct):
    client_id: UUID
    asked: AskedOfThing


class _Remove(msgspec.Struct):
    client_id: UUID
    origin: Origin


class _Answer(msgspec.Struct, omit_defaults=True):
    """`failure` names what went wrong, and `told` says it."""

    failure: Literal["outage", "stays", "unknown", "away"] | None = None
    told: str = ""
    outcome: ActionOutcome = ActionOutcome()
    position: int = 0


_FAILURES: Final[dict[str, type[Exception]]] = {
    "outage": OutageError,
    "stays": ThingStaysError,
    "unknown": ClientNotFoundError,
    "away": WorkerAwayError,
}


class NatsWorkerLine:
    """Fills WorkerLine."""

    def __init__(self, connection: NatsConnection) -> None:
        self._connection = connection

    async def act(self, client_id: UUID, asked: AskedOfThing, timeout: float) -> ActionOutcome:
        return (await self._ask(ACT, _Act(client_id, asked), timeout)).outcome

    async def remove(self, client_id: UUID, origin: Origin, timeout: float) -> int:
        return (await self._ask(REMOVE, _Remove(client_id, origin), timeout)).position

    async def _ask(self, subject: str, request: _Act | _Remove, timeout: float) -> _Answer:
        if not self._connection.connected:
            raise WorkerAwayError("NATS is away")
        client = await self._connection.client()
        headers = {DEADLINE: f"{time.time() + timeout:.3f}"}
        data = msgspec.json.encode(request)
        try:
            reply = await client.request(subject, data, timeout=timeout + ANSWER_SECONDS, headers=headers)
            answer = msgspec.json.decode(reply.data, type=_Answer)
        except NoRespondersError:
            raise WorkerAwayError("no worker runs clients now") from None
        except TimeoutError:
            raise WorkerAwayError("the worker did not answer in time") from None
        except (NatsError, OSError, msgspec.MsgspecError) as interrupted:
            raise WorkerAwayError("the way to the worker is interrupted") from interrupted
        if answer.failure is not None:
            raise _FAILURES[answer.failure](answer.told)
        return answer


class ConnectorRpc(Responder):
    """The worker's side."""

    def __init__(self, connection: NatsConnection, clients: Clients) -> None:
        super().__init__(connection, "connectors", {ACT: self._act, REMOVE: self._remove})
        self._clients = clients

    async def _act(self, request: Msg) -> None:
        async def act(asked: _Act) -> _Answer:
            return _Answer(outcome=await self._clients.act(asked.client_id, asked.asked))

        await request.respond(msgspec.json.encode(await _answered(request, _Act, act)))

    async def _remove(self, request: Msg) -> None:
        async def remove(asked: _Remove) -> _Answer:
            return _Answer(position=await self._clients.remove(asked.client_id, asked.origin))

        await request.respond(msgspec.json.encode(await _answered(request, _Remove, remove)))


async def _answered(request: Msg, kind: type[Any], do: Any) -> _Answer:
    try:
        left = float((request.headers or {})[DEADLINE]) - time.time()
        asked = msgspec.json.decode(request.data, type=kind)
    except (KeyError, ValueError, msgspec.MsgspecError):
        return _Answer("away", "the request cannot be read")
    if left <= 0:
        return _Answer("away", "the request came too late")
    try:
        async with asyncio.timeout(min(left, LONGEST_SECONDS)):
            answer: _Answer = await do(asked)
            return answer
    except OutageError as error:
        return _Answer("outage", str(error))
    except ThingStaysError as error:
        return _Answer("stays", str(error))
    except ClientNotFoundError as error:
        return _Answer("unknown", str(error))
    except (LogUnavailableError, CommandConflictError, Overloaded, TimeoutError) as error:
        return _Answer("away", str(error) or "it took too long")
