"""The things of the simulator: what they are, and what they measure at a moment. The same seed, thing and moment give
the same values, so that they go on where they were after a restart."""

import math
import random
from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from domain.connectors.properties import PropertyValue
from domain.connectors.thing import Action, Component, Parameter, Property, ThingDescription

KINDS: Final = ("lamp", "thermometer", "meter")

_PERIOD_SECONDS: Final = 600.0


class Simulated(Protocol):
    """One thing."""

    @property
    def description(self) -> ThingDescription: ...

    def values(self, seconds: float) -> Sequence[PropertyValue]:
        """So long after its client was made."""

    def act(self, action_id: str, parameters: Mapping[str, str]) -> str | None:
        """Why it cannot be done; None when it is done."""


def simulated(kind: str, seed: float, number: int) -> Simulated:
    phase = random.Random(f"{seed:g}/{number}").uniform(0, 2 * math.pi)
    match kind:
        case "thermometer":
            return _Thermometer(number, phase)
        case "meter":
            return _Meter(number, phase)
    return _Lamp(number)


class _Lamp:
    def __init__(self, number: int) -> None:
        self._on, self._level = False, 100.0
        properties = (
            Property(id="on", name="on", type="BOOLEAN"),
            Property(id="level", name="level", type="NUMBER", unit="%"),
        )
        actions = (
            Action(id="setOn", name="setOn", parameters=(Parameter(name="on", type="BOOLEAN"),)),
            Action(id="setLevel", name="setLevel", parameters=(Parameter(name="value", type="NUMBER"),)),
        )
        self.description = _described("lamp", number, properties, ("SWITCHABLE", "DIMMABLE"), actions)

    def values(self, seconds: float) -> Sequence[PropertyValue]:
        return (_value("lamp", "on", "true" if self._on else "false"), _value("lamp", "level", _text(self._level)))

    def act(self, action_id: str, parameters: Mapping[str, str]) -> str | None:
        if action_id == "setOn":
            on = parameters.get("on", "").lower()
            if on not in ("true", "false"):
                return "on: is neither true nor false"
            self._on = on == "true"
            return None
        try:
            level = float(parameters.get("value", ""))
        except ValueError:
            return "value: is no number"
        if not 0 <= level <= 100:
            return "value: is not between 0 and 100"
        self._level = level
        return None


class _Thermometer:
    def __init__(self, number: int, phase: float) -> None:
        self._phase = phase
        temperature = Property(id="temperature", name="temperature", type="NUMBER", unit="°C")
        self.description = _described("thermometer", number, (temperature,))

    def values(self, seconds: float) -> Sequence[PropertyValue]:
        turned = 2 * math.pi * seconds / _PERIOD_SECONDS + self._phase
        return (_value("thermometer", "temperature", _text(round(20 + 5 * math.sin(turned), 3))),)

    def act(self, action_id: str, parameters: Mapping[str, str]) -> str | None:
        return "a thermometer does nothing"


class _Meter:
    """Its counter is the integral of its power, so that it never runs backwards."""

    def __init__(self, number: int, phase: float) -> None:
        self._phase = phase
        properties = (
            Property(id="energy", name="energy", type="NUMBER", unit="kWh"),
            Property(id="power", name="power", type="NUMBER", unit="W"),
        )
        self.description = _described("meter", number, properties)

    def values(self, seconds: float) -> Sequence[PropertyValue]:
        speed = 2 * math.pi / _PERIOD_SECONDS
        power = 500 + 300 * math.sin(speed * seconds + self._phase)
        used = 500 * seconds + 300 * (math.cos(self._phase) - math.cos(speed * seconds + self._phase)) / speed
        return (
            _value("meter", "energy", _text(round(used / 3_600_000, 6))),
            _value("meter", "power", _text(round(power, 3))),
        )

    def act(self, action_id: str, parameters: Mapping[str, str]) -> str | None:
        return "a meter does nothing"


def _described(
    kind: str,
    number: int,
    properties: tuple[Property, ...],
    capabilities: tuple[str, ...] = (),
    actions: tuple[Action, ...] = (),
) -> ThingDescription:
    component = Component(
        id=kind,
        name=kind,
        component_type=kind.upper(),
        capabilities=capabilities,
        properties=properties,
        actions=actions,
    )
    return ThingDescription(
        name=f"Simulated {kind} {number}",
        manufacturer="Tidemark",
        display_type=kind.upper(),
        main_component_id=kind,
        components=(component,),
    )


def _value(component_id: str, property_id: str, value: str) -> PropertyValue:
    return PropertyValue(component_id=component_id, property_id=property_id, value=value)


def _text(number: float) -> str:
    """The shortest that comes back as the same number."""
    return str(int(number)) if number.is_integer() else repr(number)
