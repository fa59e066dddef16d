"""Every event there is, by its stored topic. The only place that knows all contexts of the domain."""

from collections.abc import Iterable, Iterator
from types import ModuleType

import msgspec

from domain.connectors import action, client, instance, place, properties, publication, push, subject, thing
from domain.devices import actor, command, device, external_id, link, reading, readings, sensor, state_message
from domain.event import Event
from domain.identity import access, logins, registry, user
from domain.metrics import reports
from domain.person import Fields, completed
from domain.streams import consumer, group, partition, submission, topic

MODULES: tuple[ModuleType, ...] = (
    *(user, registry, logins, access),
    *(device, sensor, actor, external_id, readings, reading, command, link, state_message),
    reports,
    *(place, publication, instance, subject, client, thing, properties, action, push),
    *(topic, partition, submission, consumer, group),
)


class UnknownTopicError(LookupError):
    """The log holds an event whose topic no class claims: it was written by a newer or a foreign program."""


class Catalogue:
    """Decodes the data of an event by its topic, in its present shape."""

    def __init__(self, events: Iterable[type[Event]]) -> None:
        self.by_topic: dict[str, type[Event]] = {}
        for event in events:
            if event.topic in self.by_topic:
                raise ValueError(f"{event.topic} is claimed by two event classes")
            self.by_topic[event.topic] = event
        self._decoders = {topic: msgspec.json.Decoder(event) for topic, event in self.by_topic.items()}

    def of(self, topic: str) -> type[Event]:
        """The class that claims the topic, possibly of a superseded version."""
        try:
            return self.by_topic[topic]
        except KeyError:
            raise UnknownTopicError(f"no event class has the topic {topic!r}") from None

    def decode(self, topic: str, data: bytes | msgspec.Raw, told: Fields | None = None) -> Event:
        """The event stored as `data` (JSON) under `topic`, brought up to its present version. `told` is what was sealed
        of it; without that, or a key for it, nobody knows who it speaks of."""
        kind = self.of(topic)
        event: Event = self._decoders[topic].decode(completed(kind, data, told or {}) if kind.personal else data)
        return event.upcast()

    def __iter__(self) -> Iterator[type[Event]]:
        return iter(self.by_topic.values())


def events_of(modules: Iterable[ModuleType]) -> Iterator[type[Event]]:
    """The stored events that the modules define, in the order of their text."""
    for module in modules:
        for value in vars(module).values():
            if isinstance(value, type) and issubclass(value, Event) and value.__module__ == module.__name__:
                yield value


CATALOGUE = Catalogue(events_of(MODULES))
