"""How things of this contract are shown (contract connectors 2.4 and 2.6)."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from application.connectors.connector_type import Description
from application.connectors.records import PublicationRecord
from domain.connectors.publication import PublishedParameter
from domain.connectors.thing import Action, Component, Property
from entrypoints.connectors.exchange import ConnectorExchange
from projections.connectors.thing_queries import ActionRow, ThingRow
from projections.connectors.thing_values import ValueRow

View = Mapping[str, Any]

_SAMPLES: Mapping[str, Any] = {"STRING": "…", "NUMBER": 0, "BOOLEAN": False}


def description_view(told: Description) -> View:
    return {
        "id": told.number,
        "type_id": told.type_id,
        "name": told.name,
        "description": told.description,
        "logo": told.logo,
        "sample_instance_configuration": told.sample_instance,
        "sample_client_configuration": told.sample_client,
    }


def published_view(publication: PublicationRecord) -> View:
    told = publication.connector
    return {
        "id": publication.number,
        "type_id": told.type_id,
        "name": told.name,
        "description": told.description,
        "logo": told.logo,
        "sample_instance_configuration": _sample(told.type_id, told.installation_parameters),
        "sample_client_configuration": _sample(told.type_id, told.instance_parameters),
    }


def _sample(type_id: str, parameters: Iterable[PublishedParameter]) -> View:
    return {
        "connector_type_id": type_id,
        "configuration": {parameter.id: _SAMPLES[parameter.value_type] for parameter in parameters},
    }


def instance_href(exchange: ConnectorExchange, id: UUID) -> str:
    return exchange.href(f"/connectors/instances/{id}")


def client_href(exchange: ConnectorExchange, id: UUID) -> str:
    return exchange.href(f"/connectors/clients/{id}")


def description_href(exchange: ConnectorExchange, number: int) -> str:
    return exchange.href(f"/connectors/descriptions/{number}")


def thing_href(exchange: ConnectorExchange, id: UUID) -> str:
    return exchange.href(f"/things/{id}")


def link(href: str) -> View:
    return {"href": href}


def thing_view(exchange: ConnectorExchange, thing: ThingRow) -> View:
    told = thing.description
    here = thing_href(exchange, thing.id)
    return {
        "id": str(thing.id),
        "name": told.name,
        "manufacturer": told.manufacturer,
        "status": thing.status,
        "displayType": told.display_type,
        "mainComponentId": told.main_component_id,
        "componentLinks": [link(f"{here}/components/{component.id}") for component in told.components],
        "attributes": [{"name": one.name, "value": one.value} for one in told.attributes] or None,
    }


def component_view(exchange: ConnectorExchange, thing: ThingRow, component: Component) -> View:
    here = f"{thing_href(exchange, thing.id)}/components/{component.id}"
    return {
        "id": component.id,
        "name": component.name,
        "componentType": component.component_type,
        "capabilities": component.capabilities,
        "propertyLinks": [link(f"{here}/properties/{property.id}") for property in component.properties],
        "actions": [_action_view(action) for action in component.actions],
    }


def _action_view(action: Action) -> View:
    """`name` is what it is asked by."""
    parameters = [{"name": parameter.name, "type": parameter.type} for parameter in action.parameters]
    return {"name": action.id, "parameters": parameters}


def property_view(property: Property, value: ValueRow | None) -> View:
    """One that has never had a value has an empty one."""
    return {
        "id": property.id,
        "name": property.name,
        "value": value.value if value else "",
        "unit": property.unit,
        "type": property.type,
        "lastUpdate": moment_view(value.updated_at) if value else None,
        "propertyType": property.property_type,
    }


def asked_view(action: ActionRow, now: datetime) -> View:
    """What nobody has settled by its deadline is canceled."""
    status = "CANCELED" if action.status == "PENDING" and action.deadline < now else action.status
    view = {"id": str(action.id), "status": status, "deadline": moment_view(action.deadline)}
    return {**view, "error": action.reason} if action.reason else view


def moment_view(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
