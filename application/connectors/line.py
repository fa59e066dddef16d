"""The line from the processes that serve people to the worker that runs the clients."""

from typing import Protocol
from uuid import UUID

from application.connectors.connector_type import ActionOutcome, AskedOfThing
from domain.event import Origin


class WorkerAwayError(Exception):
    """No worker runs clients now, or it did not answer in time. Of what was asked nobody knows whether it was done."""


class WorkerLine(Protocol):
    """Filled by `adapters.nats.connector_line`."""

    async def act(self, client_id: UUID, asked: AskedOfThing, timeout: float) -> ActionOutcome:
        """What the client's connection says to it. Raises OutageError, and WorkerAwayError after `timeout` seconds."""

    async def remove(self, client_id: UUID, origin: Origin, timeout: float) -> int:
        """Has the client and everything it made removed, if its connection agrees; the position at which that is
        recorded. Raises ThingStaysError, ClientNotFoundError, and WorkerAwayError after `timeout` seconds."""
