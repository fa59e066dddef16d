"""An event as whoever may read the log sees it, for those who read it from the database themselves."""

from datetime import datetime
from uuid import UUID

from adapters.eventstore.mapper import Mapper
from adapters.eventstore.reader import LogRow
from adapters.eventstore.shown import shown
from domain.catalogue import CATALOGUE

MAPPER = Mapper(CATALOGUE)


def shown_event(position: int, stream: UUID, version: int, topic: str, state: bytes) -> tuple[datetime, bytes]:
    """When it was, and its JSON without private fields."""
    return shown(LogRow(position, stream, version, topic, state), MAPPER)
