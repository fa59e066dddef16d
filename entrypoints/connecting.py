"""What connectors need in either process, put together from settings."""

from adapters.connector_types import built_in
from adapters.connector_types.external import ExternalConnector
from adapters.connector_types.surroundings import Surroundings
from adapters.eventstore.tenure import Tenure
from adapters.nats.connection import NatsConnection
from adapters.nats.connector_line import ConnectorRpc
from adapters.outgoing import Outgoing
from adapters.security.callback_tokens import CallbackTokens
from adapters.security.codes import ConsentCodes
from adapters.security.seals import Seals
from application.connectors.connector_type import ConnectorType
from application.connectors.records import PublicationRecord
from application.connectors.runtime import ConnectorRuntime
from application.connectors.types import PRIVATE_KEY, ConnectorTypes
from application.executor import CommandExecutor
from application.ports import Clock
from entrypoints.settings import Settings
from projections.connectors.connector_queries import ConnectorQueries
from projections.connectors.thing_queries import ThingQueries
from projections.database import Database
from projections.positions import Positions

LEASE = "connectors"


def surroundings(settings: Settings, database: Database, outgoing: Outgoing) -> Surroundings:
    """The main API is asked at the address that it binds; where that is every one, on this machine."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)
    return Surroundings(
        codes=ConsentCodes(settings.seal_key),
        outgoing=outgoing,
        things=ThingQueries(database),
        own_url=f"http://{f'[{host}]' if ':' in host else host}:{settings.http_port}",
        public_url=settings.public_url,
    )


def connector_types(settings: Settings, database: Database, outgoing: Outgoing) -> ConnectorTypes:
    seals, tokens = Seals(settings.seal_key), CallbackTokens(settings.seal_key)

    def published(publication: PublicationRecord) -> ConnectorType:
        private_key = str(seals.open(publication.sealed_key)[PRIVATE_KEY])
        return ExternalConnector(publication.connector, publication.number, private_key, outgoing, tokens)

    return ConnectorTypes(
        built_in(surroundings(settings, database, outgoing)), published, ConnectorQueries(database), seals
    )


class ConnectorWork:
    """All clients, run by whichever worker has the lease, and what the API asks of that one."""

    def __init__(
        self,
        settings: Settings,
        executor: CommandExecutor,
        database: Database,
        outgoing: Outgoing,
        nats: NatsConnection,
        clock: Clock,
        positions: Positions,
    ) -> None:
        self._runtime = ConnectorRuntime(
            connector_types(settings, database, outgoing),
            ConnectorQueries(database),
            executor,
            Tenure(settings.database_url, LEASE),
            clock,
            next_move=lambda: positions.next_move,
        )
        self._requests = ConnectorRpc(nats, self._runtime)

    async def run(self) -> None:
        try:
            await self._runtime.run(while_running=self._requests.take)
        finally:
            await self._requests.close()
