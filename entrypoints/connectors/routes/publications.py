"""Connectors that are services of an operator's own (contract connectors 5.6)."""

from uuid import uuid4

from adapters.security.signatures import new_key_pair
from application.connectors.publication import PublishConnector, WithdrawConnector
from application.connectors.records import PublicationRecord
from domain.connectors.publication import TypeTakenError
from entrypoints.connectors import errors
from entrypoints.connectors.bodies.publication import published
from entrypoints.connectors.door import Door
from entrypoints.connectors.errors import RefusedError
from entrypoints.connectors.exchange import ConnectorExchange, at, done, shown
from entrypoints.connectors.views import link
from entrypoints.exchange import Answer

PUBLICATIONS = "/connectors/publications"


async def publish(door: Door, exchange: ConnectorExchange) -> Answer:
    """The public key verifies what is sent to the service from now on; the private one leaves this process sealed."""
    connector = published(exchange.sent)
    if connector.type_id in door.types.built_in:
        raise TypeTakenError("A connector of this type comes with us.")
    keys = new_key_pair()
    publishing = PublishConnector(
        publication_id=uuid4(),
        owner=exchange.owner,
        connector=connector,
        public_key=keys.public,
        sealed_key=door.types.seal_key(keys.private),
    )
    receipt = await door.executor.execute(publishing, exchange.origin)
    id = str(publishing.publication_id)
    view = {"id": id, "type_id": connector.type_id, "public_key": keys.public}
    location = (b"location", exchange.href(f"{PUBLICATIONS}/{id}").encode())
    return shown(view, 201, (at(receipt.position), location))


async def list_publications(door: Door, exchange: ConnectorExchange) -> Answer:
    """The own ones."""
    seen = await door.see_connectors()
    own = [one for one in await door.connectors.list_publications() if one.owner == exchange.owner]
    return shown([link(exchange.href(f"{PUBLICATIONS}/{one.id}")) for one in own], headers=tuple(seen))


async def show_publication(door: Door, exchange: ConnectorExchange) -> Answer:
    seen = await door.see_connectors()
    known = await _owned(door, exchange)
    told = known.connector
    view = {
        "id": str(known.id),
        "type_id": told.type_id,
        "name": told.name,
        "description": told.description,
        "logo": told.logo,
        "installation_url": told.installation_url,
        "instance_url": told.instance_url,
        "action_url": told.action_url,
        "public_key": known.public_key,
        "connector": link(exchange.href(f"/connectors/descriptions/{known.number}")),
    }
    return shown(view, headers=tuple(seen))


async def withdraw(door: Door, exchange: ConnectorExchange) -> Answer:
    """Refused while there are instances of it."""
    await door.see_connectors()
    known = await _owned(door, exchange)
    withdrawing = WithdrawConnector(publication_id=known.id, owner=exchange.owner)
    return done((await door.executor.execute(withdrawing, exchange.origin)).position)


async def _owned(door: Door, exchange: ConnectorExchange) -> PublicationRecord:
    id = exchange.named_id("publication", errors.PUBLICATION_NOT_FOUND)
    for one in await door.connectors.list_publications():
        if (one.id, one.owner) == (id, exchange.owner):
            return one
    raise RefusedError(errors.PUBLICATION_NOT_FOUND)
