"""What an event made different, field by field."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import msgspec

from domain.value import State

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class Change(msgspec.Struct, omit_defaults=True):
    """`path` names the field, with dots between. A field that was not there, or is not, is left out. Of a list that
    grew or shrank is told by what. That a private field is different is told, and nothing else of it."""

    path: str
    before: Any = msgspec.UNSET
    after: Any = msgspec.UNSET
    added: list[Any] | msgspec.UnsetType = msgspec.UNSET
    removed: list[Any] | msgspec.UnsetType = msgspec.UNSET
    private: bool = False


def differences(before: State | None, after: State | None, private: Collection[str]) -> list[Change]:
    """In the order of the fields."""
    return list(_of_fields("", _fields(before), _fields(after), private))


def public_fields(state: State | None, private: Collection[str]) -> Mapping[str, Any] | None:
    """The state as JSON has it, without what is private anywhere in it; None where there is none."""
    shown: Mapping[str, Any] | None = None if state is None else _without(_fields(state), private)
    return shown


def _fields(state: State | None) -> Mapping[str, Any]:
    fields: Mapping[str, Any] = {} if state is None else _decode(_encode(state))
    return fields


def _of_fields(
    path: str, before: Mapping[str, Any], after: Mapping[str, Any], private: Collection[str]
) -> Iterator[Change]:
    for name in dict.fromkeys((*before, *after)):
        old, new = before.get(name, msgspec.UNSET), after.get(name, msgspec.UNSET)
        if old == new:
            continue
        here = f"{path}{name}"
        if name in private:
            yield Change(here, private=True)
        elif isinstance(old, dict) and isinstance(new, dict):
            yield from _of_fields(f"{here}.", old, new, private)
        elif isinstance(old, list) and isinstance(new, list):
            yield from _of_lists(here, old, new, private)
        else:
            yield Change(here, _without(old, private), _without(new, private))


def _of_lists(path: str, old: list[Any], new: list[Any], private: Collection[str]) -> Iterator[Change]:
    if len(old) == len(new):
        yield from _of_fields(f"{path}.", _by_index(old), _by_index(new), private)
        return
    removed = [_without(one, private) for one in old if one not in new]
    added = [_without(one, private) for one in new if one not in old]
    yield Change(path, added=added or msgspec.UNSET, removed=removed or msgspec.UNSET)


def _by_index(values: list[Any]) -> Mapping[str, Any]:
    return {str(index): value for index, value in enumerate(values)}


def _without(value: Any, private: Collection[str]) -> Any:
    """The value without what is private anywhere in it."""
    if isinstance(value, dict):
        return {name: _without(one, private) for name, one in value.items() if name not in private}
    if isinstance(value, list):
        return [_without(one, private) for one in value]
    return value
