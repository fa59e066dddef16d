"""Which connectors there are. Everybody may ask, also with a token that is worth nothing."""

from collections.abc import Sequence

from entrypoints.connectors import errors
from entrypoints.connectors.door import Door
from entrypoints.connectors.errors import RefusedError
from entrypoints.connectors.exchange import ConnectorExchange, shown
from entrypoints.connectors.views import View, description_view, published_view
from entrypoints.exchange import Answer


async def list_descriptions(door: Door, _: ConnectorExchange) -> Answer:
    seen = await door.see_connectors()
    return shown(await _described(door), headers=tuple(seen))


async def show_description(door: Door, exchange: ConnectorExchange) -> Answer:
    """By number or by type."""
    seen = await door.see_connectors()
    named = exchange.named["description"]
    for view in await _described(door):
        if named in (str(view["id"]), view["type_id"]):
            return shown(view, headers=tuple(seen))
    raise RefusedError(errors.DESCRIPTION_NOT_FOUND)


async def number_of(door: Door, type_id: str) -> int:
    """The number of a type's description; 0 for one that is not there any more."""
    built_in = door.types.built_in.get(type_id)
    if built_in is not None:
        return built_in.description.number
    publication = await door.connectors.find_publication(type_id)
    return publication.number if publication else 0


async def _described(door: Door) -> Sequence[View]:
    """Those that come with us first."""
    built_in = [description_view(connector.description) for connector in door.types.built_in.values()]
    published = [published_view(publication) for publication in await door.connectors.list_publications()]
    return [*sorted(built_in, key=lambda view: int(view["id"])), *published]
