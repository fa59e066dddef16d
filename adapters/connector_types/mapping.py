"""From JSON that somebody else made to things: pointers into it, the properties that they give, and the actions that a
thing of it has (contract connectors 5.2–5.4)."""

import re
from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any, Final, NamedTuple, cast

from application.connectors.configuration import ConfigurationInvalidError
from domain.connectors.properties import PropertyValue
from domain.connectors.thing import (
    PROPERTY_TYPES,
    Action,
    Attribute,
    Component,
    Parameter,
    Property,
    PropertyType,
    ThingDescription,
)

COMPONENT: Final = "data"

_ID = re.compile(r"[a-zA-Z0-9-_]{1,200}")
_MISSING: Final = object()


class MappedProperty(NamedTuple):
    """`pointer` leads to its value, as RFC 6901 has it; the empty one to the whole document."""

    property: Property
    pointer: str


class MappedAction(NamedTuple):
    """`told` is what the configuration says of it besides."""

    action: Action
    told: Mapping[str, Any]


def mapped_properties(settings: Mapping[str, Any], *, required: bool) -> Sequence[MappedProperty]:
    """The setting `properties`. Raises ConfigurationInvalidError."""
    given = settings.get("properties") or []
    if required and not given:
        raise ConfigurationInvalidError("properties", "is missing")
    return [_mapped_property(one) for one in _objects(given, "properties")]


def mapped_actions(settings: Mapping[str, Any]) -> Sequence[MappedAction]:
    """The setting `actions`. Raises ConfigurationInvalidError."""
    return [_mapped_action(one) for one in _objects(settings.get("actions") or [], "actions")]


def pointed(document: Any, pointer: str) -> Any:
    """What the pointer leads to, None if there is nothing."""
    found = _walk(document, pointer)
    return None if found is _MISSING else found


def check_pointer(name: str, pointer: str) -> None:
    if pointer and not pointer.startswith("/"):
        raise ConfigurationInvalidError(name, "is no JSON pointer, which begins with /")


def values_in(document: Any, mapped: Sequence[MappedProperty]) -> tuple[PropertyValue, ...]:
    """Those that are there and of their type."""
    told = ((one.property, _text(pointed(document, one.pointer), one.property.type)) for one in mapped)
    return tuple(
        PropertyValue(component_id=COMPONENT, property_id=property.id, value=text)
        for property, text in told
        if text is not None
    )


def described(
    name: str,
    manufacturer: str,
    properties: Sequence[MappedProperty],
    actions: Sequence[MappedAction],
    attributes: Mapping[str, str] | None = None,
) -> ThingDescription:
    component = Component(
        id=COMPONENT,
        name=name,
        component_type="tidemark.Data",
        properties=tuple(one.property for one in properties),
        actions=tuple(one.action for one in actions),
    )
    return ThingDescription(
        name=name,
        manufacturer=manufacturer,
        display_type="SENSOR",
        main_component_id=COMPONENT,
        components=(component,),
        attributes=tuple(Attribute(name=key, value=value) for key, value in (attributes or {}).items()),
    )


def text_at(document: Any, pointer: str) -> str:
    """A name in the document; empty if there is none."""
    found = pointed(document, pointer)
    if isinstance(found, bool) or not isinstance(found, str | int | float):
        return ""
    return str(found)


def _walk(document: Any, pointer: str) -> Any:
    for step in pointer.split("/")[1:]:
        key = step.replace("~1", "/").replace("~0", "~")
        if isinstance(document, dict) and key in document:
            document = document[key]
        elif isinstance(document, list) and key.isascii() and key.isdigit() and int(key) < len(document):
            document = document[int(key)]
        else:
            return _MISSING
    return document


def _text(value: Any, type: PropertyType) -> str | None:
    """Numbers as short as they can be read again; None for what is not of the type."""
    match type, value:
        case "BOOLEAN", bool():
            return "true" if value else "false"
        case "BOOLEAN", int() | str() if str(value).lower() in _TRUTHS:
            return _TRUTHS[str(value).lower()]
        case "NUMBER", bool():
            return None
        case "NUMBER", int() | float():
            return repr(value) if isfinite(value) else None
        case "NUMBER", str():
            return value.strip() if _is_number(value) else None
        case "STRING", str():
            return value
        case "STRING", bool():
            return "true" if value else "false"
        case "STRING", int() | float():
            return repr(value)
    return None


_TRUTHS: Mapping[str, str] = {"true": "true", "false": "false", "1": "true", "0": "false"}


def _is_number(text: str) -> bool:
    try:
        return isfinite(float(text))
    except ValueError:
        return False


def _mapped_property(given: Mapping[str, Any]) -> MappedProperty:
    id = _id(given, "properties")
    pointer = _told(given, "pointer", f"/{id}")
    check_pointer(f"properties.{id}.pointer", pointer)
    property = Property(
        id=id,
        name=_told(given, "name", id),
        type=_type(given, f"properties.{id}"),
        unit=_told(given, "unit", ""),
        property_type=_told(given, "property_type", ""),
    )
    return MappedProperty(property, pointer)


def _mapped_action(given: Mapping[str, Any]) -> MappedAction:
    id = _id(given, "actions")
    parameters = _objects(given.get("parameters") or [], f"actions.{id}.parameters")
    action = Action(
        id=id,
        name=_told(given, "name", id),
        parameters=tuple(
            Parameter(name=_told(one, "name", ""), type=_type(one, f"actions.{id}.parameters")) for one in parameters
        ),
    )
    return MappedAction(action, given)


def _objects(given: Any, name: str) -> Sequence[Mapping[str, Any]]:
    if not isinstance(given, list) or not all(isinstance(one, dict) for one in given):
        raise ConfigurationInvalidError(name, "is no list of objects")
    ids = [str(one.get("id", one.get("name", ""))).casefold() for one in given]
    if len(set(ids)) != len(ids):
        raise ConfigurationInvalidError(name, "names one thing twice")
    return given


def _id(given: Mapping[str, Any], where: str) -> str:
    id = given.get("id")
    if not isinstance(id, str) or not _ID.fullmatch(id):
        raise ConfigurationInvalidError(where, "id: letters, digits, - and _, 1 to 200 of them")
    return id


def _type(given: Mapping[str, Any], where: str) -> PropertyType:
    type = given.get("type")
    if type not in PROPERTY_TYPES:
        raise ConfigurationInvalidError(where, f"type is none of {', '.join(PROPERTY_TYPES)}")
    return cast("PropertyType", type)


def _told(given: Mapping[str, Any], name: str, default: str) -> str:
    value = given.get(name, default)
    if not isinstance(value, str):
        raise ConfigurationInvalidError(name, "is no string")
    return value
