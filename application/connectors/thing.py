"""Things: made, described anew, told apart by what is there and what they measure, and removed."""

from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID, uuid4

from msgspec import field

from application.command import Aggregates, Change, Command, Handler, change
from application.connectors.registry import DeviceRegistry
from application.connectors.subject import met
from domain.connectors import client, properties, thing
from domain.connectors.client import CLIENT, Client, ClientNotFoundError
from domain.connectors.properties import PROPERTIES, PropertyValue
from domain.connectors.thing import (
    THING,
    PropertyNotFoundError,
    Thing,
    ThingDescription,
    ThingNotFoundError,
    ThingStatus,
)
from domain.event import Event
from domain.identifiers import properties_id, thing_stream_id


class MakeThing(Command):
    """A client makes a thing, or describes one anew. `values` are those that it has from the start. `person` is a new
    id, for a subject that has no key yet."""

    thing_id: UUID
    client_id: UUID
    connector_thing_id: str
    description: ThingDescription
    status: ThingStatus = "AVAILABLE"
    values: tuple[PropertyValue, ...] = ()
    person: UUID = field(default_factory=uuid4)


class EnterThing(Command):
    """An app enters a thing that no client made. `person` is as in MakeThing."""

    thing_id: UUID
    owner: str
    subject: str
    description: ThingDescription
    status: ThingStatus = "AVAILABLE"
    values: tuple[PropertyValue, ...] = ()
    person: UUID = field(default_factory=uuid4)


class ChangeThingStatus(Command):
    thing_id: UUID
    status: ThingStatus


class UpdateProperty(Command):
    """The one property must exist, or the whole is refused."""

    thing_id: UUID
    value: PropertyValue


class UpdateProperties(Command):
    """Values as they came together. Those of things and properties that do not exist are left out, the rest is kept."""

    values: dict[UUID, tuple[PropertyValue, ...]]


class RemoveThing(Command):
    """The thing, and its client's mapping to it."""

    thing_id: UUID


def handlers(registry: DeviceRegistry) -> Mapping[type[Command], Handler]:
    """What handles the commands, where every thing is a device of the registry too."""

    def make_thing(command: MakeThing, aggregates: Aggregates) -> Sequence[Change]:
        maker = aggregates.find(CLIENT, command.client_id)
        if maker is None:
            raise ClientNotFoundError("There is no such client.")
        known = find_thing(aggregates, command.thing_id)
        person, meeting = _person_of(maker, command, aggregates)
        events = thing.make(
            known,
            person,
            command.thing_id,
            maker.owner,
            maker.subject,
            command.client_id,
            command.connector_thing_id,
            command.description,
            command.status,
        )
        gained = change(CLIENT, command.client_id, client.gain(maker, command.thing_id))
        made = _made(aggregates, command, THING.fold(events, known), changed(command.thing_id, events))
        return [gained, *made, *meeting]

    def _person_of(maker: Client, command: MakeThing, aggregates: Aggregates) -> tuple[UUID, Sequence[Change]]:
        """A client that was created before persons had keys knows none."""
        if maker.person is not None:
            return maker.person, ()
        return met(aggregates, maker.owner, maker.subject, command.person)

    def enter_thing(command: EnterThing, aggregates: Aggregates) -> Sequence[Change]:
        known = find_thing(aggregates, command.thing_id)
        person, meeting = met(aggregates, command.owner, command.subject, command.person)
        events = thing.make(
            known,
            person,
            command.thing_id,
            command.owner,
            command.subject,
            None,
            str(command.thing_id),
            command.description,
            command.status,
        )
        made = _made(aggregates, command, THING.fold(events, known), changed(command.thing_id, events))
        return [*made, *meeting]

    def _made(
        aggregates: Aggregates, command: MakeThing | EnterThing, made: Thing | None, making: Change
    ) -> Sequence[Change]:
        """Making it again with nothing new records nothing but the values."""
        if made is None:
            return [making]
        values = _known(command.values, made)
        if not making.events:
            return _updated(aggregates, {command.thing_id: (made, values)}) if values else [making]
        return [
            making,
            *registry.made(aggregates, command.thing_id, made, values),
            *_stored(aggregates, command.thing_id, values),
        ]

    def change_thing_status(command: ChangeThingStatus, aggregates: Aggregates) -> Sequence[Change]:
        events = thing.change_status(existing(aggregates, command.thing_id), command.status)
        if not events:
            return ()
        return [
            changed(command.thing_id, events),
            *registry.status_changed(aggregates, command.thing_id, command.status),
        ]

    def update_property(command: UpdateProperty, aggregates: Aggregates) -> Sequence[Change]:
        known = existing(aggregates, command.thing_id)
        if not _known([command.value], known):
            raise PropertyNotFoundError("The thing has no such property.")
        return _updated(aggregates, {command.thing_id: (known, (command.value,))})

    def update_properties(command: UpdateProperties, aggregates: Aggregates) -> Sequence[Change]:
        things = find_things(aggregates, command.values)
        return _updated(
            aggregates,
            {
                id: (known, values)
                for id, known in things.items()
                if known is not None and (values := _known(command.values[id], known))
            },
        )

    def _updated(
        aggregates: Aggregates, values: Mapping[UUID, tuple[Thing, Sequence[PropertyValue]]]
    ) -> Sequence[Change]:
        stored = (change for id, (_, updated) in values.items() for change in _stored(aggregates, id, updated))
        return [*stored, *registry.updated(aggregates, values)]

    def remove_thing(command: RemoveThing, aggregates: Aggregates) -> Sequence[Change]:
        known = existing(aggregates, command.thing_id)
        changes = [
            changed(command.thing_id, thing.remove(known)),
            *registry.removed(aggregates, [command.thing_id]),
        ]
        if known.client_id is not None:
            lost = client.lose(aggregates.find(CLIENT, known.client_id), command.thing_id)
            changes.append(change(CLIENT, known.client_id, lost))
        return changes

    return {
        MakeThing: make_thing,
        EnterThing: enter_thing,
        ChangeThingStatus: change_thing_status,
        UpdateProperty: update_property,
        UpdateProperties: update_properties,
        RemoveThing: remove_thing,
    }


def find_thing(aggregates: Aggregates, thing_id: UUID) -> Thing | None:
    return aggregates.find(THING, thing_stream_id(thing_id))


def find_things(aggregates: Aggregates, thing_ids: Iterable[UUID]) -> Mapping[UUID, Thing | None]:
    """The same for many at once."""
    streams = {thing_stream_id(id): id for id in thing_ids}
    return {streams[stream]: found for stream, found in aggregates.find_many(THING, streams).items()}


def changed(thing_id: UUID, events: Sequence[Event]) -> Change:
    return change(THING, thing_stream_id(thing_id), events)


def existing(aggregates: Aggregates, thing_id: UUID) -> Thing:
    known = find_thing(aggregates, thing_id)
    if known is None:
        raise ThingNotFoundError("There is no such thing.")
    return known


def _known(values: Sequence[PropertyValue], known: Thing) -> Sequence[PropertyValue]:
    return [value for value in values if thing.find_property(known, value.component_id, value.property_id)]


def _stored(aggregates: Aggregates, thing_id: UUID, values: Sequence[PropertyValue]) -> Sequence[Change]:
    if not values:
        return ()
    return (change(PROPERTIES, properties_id(thing_id, aggregates.now.date()), properties.update(thing_id, values)),)
