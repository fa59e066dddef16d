"""The base of everything immutable in the domain: values, states, commands and events."""

from typing import Any, ClassVar

import msgspec


class ValueMeta(msgspec.StructMeta):
    """Makes every subclass frozen and keyword-only without saying so on each class."""

    personal: tuple[str, ...]

    def __new__(
        mcls,
        name: str,
        bases: tuple[type, ...],
        namespace: dict[str, Any],
        *,
        personal: tuple[str, ...] = (),
        **config: Any,
    ) -> "ValueMeta":
        config.setdefault("frozen", True)
        config.setdefault("kw_only", True)
        config.setdefault("omit_defaults", True)
        # Values hold values and cannot refer to themselves. Tracking each of them made decoding four times slower.
        config.setdefault("gc", False)
        cls: ValueMeta = super().__new__(mcls, name, bases, namespace, **config)
        cls.personal = personal
        return cls


class Value(msgspec.Struct, metaclass=ValueMeta):
    """A frozen record compared by its fields.

    `personal` names fields of an event or a state that tell who a person is. They are stored sealed with a key of that
    person's, who has a field of its own, `person` (domain/person.py).
    """

    personal: ClassVar[tuple[str, ...]]


class State(Value):
    """What an aggregate has become: the fold of its events, rebuilt at any time."""
