"""What is asked before somebody is forgotten, and of which read models afterwards."""

from application.policies.forgetting import Served
from projections.connectors.connector_queries import ConnectorQueries
from projections.connectors.connectors import Connectors
from projections.connectors.thing_queries import ThingQueries
from projections.connectors.things import Things
from projections.database import Database
from projections.identity.accounts import AccountDirectory
from projections.positions import Positions

_NAMING = (AccountDirectory.name, Connectors.name, Things.name)


class PersonQueries:
    """Fills `application.policies.forgetting.PersonRecords`."""

    def __init__(self, database: Database, positions: Positions) -> None:
        self._connectors = ConnectorQueries(database)
        self._things = ThingQueries(database)
        self._positions = positions

    async def caught_up(self) -> bool:
        return all([(await self._positions.fresh(name)).fresh for name in _NAMING])

    async def served(self, owner: str, subject: str) -> Served:
        return Served(
            clients=await self._connectors.list_clients(owner, subject),
            things=await self._things.list(owner, subject),
            ever=await self._connectors.knows(owner, subject),
        )
