"""A sensor of a device: the rules of `domain.devices.part` under its own stored names."""

from domain.decider import Decider
from domain.devices.part import (
    Part,
    PartAdded,
    PartEvents,
    PartMoved,
    PartRedescribed,
    PartRemoved,
    PartRetired,
    PartRevived,
    evolve,
)


class SensorAdded(PartAdded, topic="devices.sensor.added.v1"):
    pass


class SensorRedescribed(PartRedescribed, topic="devices.sensor.redescribed.v1"):
    pass


class SensorRetired(PartRetired, topic="devices.sensor.retired.v1"):
    pass


class SensorRevived(PartRevived, topic="devices.sensor.revived.v1"):
    pass


class SensorMoved(PartMoved, topic="devices.sensor.moved.v1"):
    pass


class SensorRemoved(PartRemoved, topic="devices.sensor.removed.v1"):
    pass


SENSOR_EVENTS = PartEvents(
    added=SensorAdded,
    redescribed=SensorRedescribed,
    retired=SensorRetired,
    revived=SensorRevived,
    moved=SensorMoved,
    removed=SensorRemoved,
)
SENSOR = Decider("devices.sensor", Part, evolve)
