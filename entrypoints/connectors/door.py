"""What the routes of this contract need, and who is asking."""

from dataclasses import dataclass

from adapters.security.callback_tokens import CallbackTokens
from adapters.security.codes import ConsentCodes
from adapters.security.tokens import Claims
from application.connectors.connector_type import ConnectorType
from application.connectors.line import WorkerLine
from application.connectors.types import ConnectorTypes
from application.executor import CommandExecutor
from entrypoints.bearers import Bearers
from entrypoints.connectors import errors
from entrypoints.connectors.errors import RefusedError
from entrypoints.exchange import Header, position_headers
from projections.connectors.connector_queries import ConnectorQueries
from projections.connectors.connectors import Connectors
from projections.connectors.thing_queries import ThingQueries
from projections.connectors.things import Things
from projections.positions import Positions

MANAGE = "connctd.connector"
READ_THINGS = "connctd.things.read"
ACT_ON_THINGS = "connctd.things.action"
READ_SUBJECTS = "connctd.subjects.read"


@dataclass(frozen=True)
class Door:
    """Everything behind this contract's routes."""

    executor: CommandExecutor
    bearers: Bearers
    positions: Positions
    types: ConnectorTypes
    line: WorkerLine
    connectors: ConnectorQueries
    things: ThingQueries
    consent_codes: ConsentCodes
    callback_tokens: CallbackTokens
    public_url: str

    async def find_type(self, type_id: str) -> ConnectorType | None:
        """Also one that was published a moment ago."""
        if type_id not in self.types.built_in:
            await self.see_connectors()
        return await self.types.find(type_id)

    async def see_connectors(self) -> list[Header]:
        """Waits until they are as new as the log is now; says at which position they are."""
        return position_headers(await self.positions.fresh(Connectors.name))

    async def see_things(self) -> list[Header]:
        return position_headers(await self.positions.fresh(Things.name))


async def claims_of(door: Door, authorization: str | None, scopes: tuple[str, ...]) -> Claims:
    """Whoever shows a token, with the word Bearer before it or without, that has one of the scopes. Raises NoTokenError
    and InvalidTokenError, and RefusedError without such a scope."""
    given = (authorization or "").strip()
    claims = await door.bearers.claims(given if " " in given else f"Bearer {given}")
    if not set(scopes) & set(claims.scopes):
        raise RefusedError(errors.FORBIDDEN)
    return claims
