"""What the routes of this contract need, and who may ask."""

from dataclasses import dataclass

from adapters.security.tokens import Claims
from application.policies.forgetting import Forgetting
from entrypoints.bearers import Bearers
from entrypoints.exchange import Exchange

FORGET_PERSONS = "persons.forget"


@dataclass(frozen=True)
class Door:
    """Everything behind the routes."""

    bearers: Bearers
    forgetting: Forgetting


async def let_in(door: Door, exchange: Exchange) -> Claims:
    """Raises NoTokenError, InvalidTokenError, ForbiddenError, and LogUnavailableError when nobody knows whose account
    is disabled."""
    return await door.bearers.claims_for("Forgetting somebody", FORGET_PERSONS, exchange.header(b"authorization"))
