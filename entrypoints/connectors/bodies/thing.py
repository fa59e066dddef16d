"""How things are described: by apps, and by connectors' services. Keys may be written as the old page has them, all in
lower case, or as the connectors' own kit writes them (contract connectors 2.6)."""

from collections.abc import Callable, Mapping, Sequence
from datetime import MINYEAR, datetime
from typing import Any, NamedTuple, TypeVar, cast

from application.parsing import parse_rfc3339
from domain.connectors.properties import PropertyValue
from domain.connectors.thing import (
    PROPERTY_TYPES,
    STATUSES,
    Action,
    Attribute,
    Component,
    Parameter,
    Property,
    PropertyType,
    ThingDescription,
    ThingStatus,
)
from entrypoints.connectors import errors
from entrypoints.connectors.errors import RefusedError

T = TypeVar("T")
Fields = Mapping[str, Any]

# What the kit sends for "never".
_NEVER = MINYEAR


class ThingBody(NamedTuple):
    """`values` are those that the properties have from the start; their times may be absent."""

    description: ThingDescription
    status: ThingStatus
    values: Sequence[PropertyValue]


def thing(sent: Fields) -> ThingBody:
    """Raises RefusedError for what is of another type; what makes a thing of it is the domain's to say."""
    components = _many(sent, "components", _component)
    description = ThingDescription(
        name=_text(sent, "name"),
        manufacturer=_text(sent, "manufacturer"),
        display_type=_text(sent, "displayType"),
        main_component_id=_text(sent, "mainComponentId"),
        components=components,
        attributes=_many(sent, "attributes", _attribute),
    )
    values = [
        value
        for component in _objects(sent, "components")
        for property in _objects(component, "properties")
        if (value := _initial(_text(component, "id"), property)) is not None
    ]
    return ThingBody(description, status(sent) if _given(sent, "status") else "AVAILABLE", values)


def status(sent: Fields) -> ThingStatus:
    given = _text(sent, "status")
    if given not in STATUSES:
        raise _wrong("status", f"is none of {', '.join(STATUSES)}")
    return cast("ThingStatus", given)


def value(sent: Fields) -> str:
    """Always a text; numbers and truths are taken as their texts."""
    return text_of("value", _given(sent, "value"))


def moment(sent: Fields) -> datetime | None:
    """`lastUpdate`; None if it is absent, or the kit's word for never."""
    given = _text(sent, "lastUpdate")
    if not given:
        return None
    at = parse_rfc3339(given)
    if at is None:
        raise _wrong("lastUpdate", "is no RFC 3339 time")
    return None if at.year == _NEVER else at


def text_of(name: str, given: object) -> str:
    match given:
        case bool():
            return "true" if given else "false"
        case str():
            return given
        case int() | float():
            return repr(given)
    raise _wrong(name, "is missing, or no text")


def _component(sent: Fields) -> Component:
    capabilities = _given(sent, "capabilities") or []
    if not isinstance(capabilities, list) or not all(isinstance(one, str) for one in capabilities):
        raise _wrong("capabilities", "is no list of texts")
    return Component(
        id=_text(sent, "id"),
        name=_text(sent, "name"),
        component_type=_text(sent, "componentType"),
        capabilities=tuple(capabilities),
        properties=_many(sent, "properties", _property),
        actions=_many(sent, "actions", _action),
    )


def _property(sent: Fields) -> Property:
    return Property(
        id=_text(sent, "id"),
        name=_text(sent, "name"),
        type=_property_type(sent),
        unit=_text(sent, "unit"),
        property_type=_text(sent, "propertyType"),
    )


def _action(sent: Fields) -> Action:
    """The old page calls an action by its name alone."""
    name = _text(sent, "name")
    return Action(id=_text(sent, "id") or name, name=name, parameters=_many(sent, "parameters", _parameter))


def _parameter(sent: Fields) -> Parameter:
    return Parameter(name=_text(sent, "name"), type=_property_type(sent))


def _attribute(sent: Fields) -> Attribute:
    return Attribute(name=_text(sent, "name"), value=_text(sent, "value"))


def _initial(component_id: str, sent: Fields) -> PropertyValue | None:
    given = _given(sent, "value")
    if given is None or given == "":
        return None
    told = text_of("value", given)
    return PropertyValue(component_id=component_id, property_id=_text(sent, "id"), value=told, at=moment(sent))


def _property_type(sent: Fields) -> PropertyType:
    given = _text(sent, "type").upper()
    if given not in PROPERTY_TYPES:
        raise _wrong("type", f"is none of {', '.join(PROPERTY_TYPES)}")
    return cast("PropertyType", given)


def _many(sent: Fields, name: str, one: Callable[[Fields], T]) -> tuple[T, ...]:
    return tuple(one(fields) for fields in _objects(sent, name))


def _objects(sent: Fields, name: str) -> Sequence[Fields]:
    """Absent and null are none."""
    given = _given(sent, name) or []
    if not isinstance(given, list) or not all(isinstance(one, dict) for one in given):
        raise _wrong(name, "is no list of objects")
    return given


def _text(sent: Fields, name: str) -> str:
    """Absent and null are empty."""
    given = _given(sent, name)
    if given is None:
        return ""
    if not isinstance(given, str) or "\0" in given:
        raise _wrong(name, "is no text")
    return given


def _given(sent: Fields, name: str) -> Any:
    return sent.get(name, sent.get(name.lower()))


def _wrong(name: str, reason: str) -> RefusedError:
    return RefusedError(errors.BAD_REQUEST.saying(f"{name}: {reason}"))
