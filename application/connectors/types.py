"""Every connector type there is, those that come with us and those that are published, and what they work with."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from application.connectors.configuration import Configuration
from application.connectors.connector_type import ClientSettings, ConnectorType, InstanceSettings
from application.connectors.records import ClientRecord, ConnectorRecords, InstanceRecord, PublicationRecord, Sealer

# The one secret of a publication.
PRIVATE_KEY: Final = "private_key"


class ConnectorTypes:
    """`published` makes the type of a published connector."""

    def __init__(
        self,
        built_in: Sequence[ConnectorType],
        published: Callable[[PublicationRecord], ConnectorType | None],
        records: ConnectorRecords,
        sealer: Sealer,
    ) -> None:
        self.built_in = {connector.description.type_id: connector for connector in built_in}
        self._published = published
        self._records = records
        self._sealer = sealer

    async def find(self, type_id: str) -> ConnectorType | None:
        """Raises LogUnavailableError."""
        if (known := self.built_in.get(type_id)) is not None:
            return known
        publication = await self._records.find_publication(type_id)
        return self._published(publication) if publication is not None else None

    def seal_key(self, private_key: str) -> str:
        """Of a connector that is published."""
        return self._sealer.seal({PRIVATE_KEY: private_key})

    def seal(self, configuration: Configuration) -> str:
        return self._sealer.seal(configuration.secrets)

    def instance_settings(self, record: InstanceRecord) -> InstanceSettings:
        """Raises SealBrokenError."""
        return self.settings_of_instance(record.id, record.owner, record.configuration, record.sealed)

    def settings_of_instance(
        self, id: UUID, owner: str, configuration: Mapping[str, Any], sealed: str
    ) -> InstanceSettings:
        """The same of one that no read model knows yet."""
        return InstanceSettings(id, owner, {**configuration, **self._sealer.open(sealed)})

    async def client_settings(self, record: ClientRecord) -> ClientSettings | None:
        """None when its instance is gone. Raises SealBrokenError and LogUnavailableError."""
        instance = await self._records.find_instance(record.instance_id)
        if instance is None:
            return None
        return ClientSettings(
            id=record.id,
            owner=record.owner,
            subject=record.subject,
            instance=self.instance_settings(instance),
            settings={**record.configuration, **self._sealer.open(record.sealed)},
            things=await self._records.things_of(record.id),
            created_at=record.created_at,
        )
