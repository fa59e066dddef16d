"""What the routes of the audit need, and who may ask."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from adapters.proof.inclusion import InclusionProofs
from application.streams.messages import Arrivals
from entrypoints.audit.exchange import AuditExchange
from entrypoints.audit.views import Views
from entrypoints.bearers import AUDIT_READ, Bearers
from projections.audit.histories import HistoryQueries
from projections.audit.moments import Moments
from projections.audit.states import StateQueries
from projections.audit.traces import TraceQueries
from projections.audit.trail_queries import TrailQueries


@dataclass(frozen=True)
class Door:
    """Everything behind the routes. `head` is the end of the log now."""

    bearers: Bearers
    trail: TrailQueries
    histories: HistoryQueries
    states: StateQueries
    moments: Moments
    traces: TraceQueries
    proofs: InclusionProofs
    views: Views
    arrivals: Arrivals
    head: Callable[[], Awaitable[int]]
    stopping: asyncio.Event


async def let_in(door: Door, exchange: AuditExchange) -> None:
    """Raises NoTokenError, InvalidTokenError, ForbiddenError, and LogUnavailableError when nobody knows whose account
    is disabled."""
    await door.bearers.claims_for("Reading the audit", AUDIT_READ, exchange.header(b"authorization"))
