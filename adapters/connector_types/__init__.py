"""The connector types that come with Tidemark, one file each: `docs/how-to/add-a-connector-type.md`."""

from collections.abc import Callable, Sequence

from adapters.connector_types.http_json import HttpJson
from adapters.connector_types.mqtt import MqttThings
from adapters.connector_types.mrd import Mrd
from adapters.connector_types.simulator import Simulator
from adapters.connector_types.surroundings import Surroundings
from adapters.connector_types.webhook import Webhook
from application.connectors.connector_type import ConnectorType

BUILT_IN: tuple[Callable[[Surroundings], ConnectorType], ...] = (Simulator, HttpJson, MqttThings, Webhook, Mrd)


def built_in(surroundings: Surroundings) -> Sequence[ConnectorType]:
    return [make(surroundings) for make in BUILT_IN]
