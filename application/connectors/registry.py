"""What things need of the registry of devices, which is another context: filled by `application.policies.things`."""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol
from uuid import UUID

from application.command import Aggregates, Change
from domain.connectors.properties import PropertyValue
from domain.connectors.thing import Thing, ThingStatus


class DeviceRegistry(Protocol):
    """Each answers what is recorded of the device that has the thing's id, in the same decision."""

    def made(
        self, aggregates: Aggregates, thing_id: UUID, thing: Thing, values: Sequence[PropertyValue]
    ) -> Sequence[Change]:
        """The thing was made, or described anew, with these values."""

    def status_changed(self, aggregates: Aggregates, thing_id: UUID, status: ThingStatus) -> Sequence[Change]: ...

    def updated(
        self, aggregates: Aggregates, values: Mapping[UUID, tuple[Thing, Sequence[PropertyValue]]]
    ) -> Sequence[Change]:
        """What can be measured of things is a reading."""

    def removed(self, aggregates: Aggregates, thing_ids: Collection[UUID]) -> Sequence[Change]: ...
