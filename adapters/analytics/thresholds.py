"""The rule that needs no program: readings above or below a value, for some time."""

from datetime import datetime
from typing import Any

import msgspec

READINGS = "devices.readings.recorded.v1"

_Spell = dict[str, Any]


class Thresholds(msgspec.Struct, forbid_unknown_fields=True):
    """An alarm begins when a sensor measures more than `above`, or less than `below`, without a break for
    `for_seconds`, and is over when it measures something that is `back_by` on the right side again. `sensor` and
    `device` are ids; without them it holds for all."""

    above: float | None = None
    below: float | None = None
    for_seconds: float = 0.0
    back_by: float = 0.0
    sensor: str | None = None
    device: str | None = None

    def __post_init__(self) -> None:
        if self.above is None and self.below is None:
            raise ValueError("a threshold is `above` or `below` something")

    def evolve(self, state: dict[str, _Spell] | None, event: dict[str, Any]) -> Any:
        """The state has, by sensor, since when it is on the wrong side, and whether that is an alarm already."""
        spells = {} if state is None else state
        if event["topic"] != READINGS or self.device not in (None, event["data"]["device_id"]):
            return spells
        outcomes: list[dict[str, Any]] = []
        for reading in event["data"]["readings"]:
            sensor = reading["sensor_id"]
            if self.sensor not in (None, sensor):
                continue
            value, at = reading["value"], reading.get("value_at") or event["at"]
            spell = spells.get(sensor)
            if spell is None:
                if self._is_wrong(value, 0.0):
                    spell = spells[sensor] = {"since": at, "is_alarm": False, "worst": value}
                    self._raise(spell, sensor, value, at, outcomes)
            elif self._is_wrong(value, self.back_by if spell["is_alarm"] else 0.0):
                spell["worst"] = max(spell["worst"], value, key=self._badness)
                self._raise(spell, sensor, value, at, outcomes)
            else:
                del spells[sensor]
                if spell["is_alarm"]:
                    outcomes.append({"what": "alarm over", "sensor_id": sensor, **_told(spell), "at": at})
        return spells, outcomes

    def _raise(self, spell: _Spell, sensor: str, value: float, at: str, outcomes: list[dict[str, Any]]) -> None:
        if not spell["is_alarm"] and (self.for_seconds == 0 or _seconds(spell["since"], at) >= self.for_seconds):
            spell["is_alarm"] = True
            outcomes.append({"what": "alarm", "sensor_id": sensor, "value": value, **_told(spell), "at": at})

    def _is_wrong(self, value: float, back_by: float) -> bool:
        return (self.above is not None and value > self.above - back_by) or (
            self.below is not None and value < self.below + back_by
        )

    def _badness(self, value: float) -> float:
        over = value - self.above if self.above is not None else float("-inf")
        under = self.below - value if self.below is not None else float("-inf")
        return max(over, under)


def _told(spell: _Spell) -> dict[str, Any]:
    return {"since": spell["since"], "worst": spell["worst"]}


def _seconds(since: str, until: str) -> float:
    return (datetime.fromisoformat(until) - datetime.fromisoformat(since)).total_seconds()
