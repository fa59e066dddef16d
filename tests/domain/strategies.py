"""Random events, made from the field types of their classes."""

from datetime import UTC, datetime
from typing import Any, get_args, get_origin

import msgspec
from hypothesis import strategies as st
from msgspec import UnsetType

from domain.catalogue import CATALOGUE
from domain.event import Event
from domain.value import Value

integers = st.integers(-(2**63), 2**63 - 1)
finite = st.floats(allow_nan=False, allow_infinity=False)
instants = st.datetimes(timezones=st.just(UTC))

# Whole numbers and texts, since a float in the middle of JSON may come back as the same number in another spelling.
json_values = st.recursive(
    st.none() | st.booleans() | integers | st.text(st.characters(codec="utf-8")),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=3)
    ),
    max_leaves=5,
)

_OF_TYPE: dict[Any, st.SearchStrategy[Any]] = {
    int: integers,
    float: finite,
    datetime: instants,
    datetime | None: st.none() | instants,
    Any | UnsetType: json_values,
    dict[str, Any]: st.dictionaries(st.text(st.characters(codec="utf-8")), json_values, max_size=3),
    tuple[int, ...]: st.lists(integers, max_size=5).map(tuple),
    msgspec.Raw: st.lists(json_values, max_size=3).map(lambda values: msgspec.Raw(msgspec.json.encode(values))),
    int | float | str: integers | finite | st.text(st.characters(codec="utf-8")),
}


def of(value: type[Value]) -> st.SearchStrategy[Any]:
    """Any value of the class. Fields with a default are sometimes left out."""
    required: dict[str, st.SearchStrategy[Any]] = {}
    optional: dict[str, st.SearchStrategy[Any]] = {}
    for field in msgspec.structs.fields(value):
        drawn = _field(field.type)
        (required if field.required else optional)[field.name] = drawn
    return st.fixed_dictionaries(required, optional=optional).map(lambda fields: value(**fields))


def _field(type_: Any) -> st.SearchStrategy[Any]:
    many = get_args(type_)[0] if get_origin(type_) is tuple else None
    if isinstance(many, type) and issubclass(many, Value):
        return st.lists(of(many), max_size=5).map(tuple)
    if isinstance(type_, type) and issubclass(type_, Value):
        return of(type_)
    return _OF_TYPE[type_] if type_ in _OF_TYPE else st.from_type(type_)


events: st.SearchStrategy[Event] = st.one_of([of(event) for event in CATALOGUE])
