"""The base of everything immutable in the domain: values, states, commands and events."""

from typing import Any

import msgspec


class ValueMeta(msgspec.StructMeta):
    """Makes every subclass frozen and keyword-only without saying so on each class."""

    def __new__(mcls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **config: Any) -> "ValueMeta":
        config.setdefault("frozen", True)
        config.setdefault("kw_only", True)
        config.setdefault("omit_defaults", True)
        # Values hold values and cannot refer to themselves. Tracking each of them made decoding four times slower.
        config.setdefault("gc", False)
        return super().__new__(mcls, name, bases, namespace, **config)


class Value(msgspec.Struct, metaclass=ValueMeta):
    """A frozen record compared by its fields."""


class State(Value):
    """What an aggregate has become: the fold of its events, rebuilt at any time."""
