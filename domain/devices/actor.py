"""An actor of a device: the rules of `domain.devices.part` under its own stored names."""

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


class ActorAdded(PartAdded, topic="devices.actor.added.v1"):
    pass


class ActorRedescribed(PartRedescribed, topic="devices.actor.redescribed.v1"):
    pass


class ActorRetired(PartRetired, topic="devices.actor.retired.v1"):
    pass


class ActorRevived(PartRevived, topic="devices.actor.revived.v1"):
    pass


class ActorMoved(PartMoved, topic="devices.actor.moved.v1"):
    pass


class ActorRemoved(PartRemoved, topic="devices.actor.removed.v1"):
    pass


ACTOR_EVENTS = PartEvents(
    added=ActorAdded,
    redescribed=ActorRedescribed,
    retired=ActorRetired,
    revived=ActorRevived,
    moved=ActorMoved,
    removed=ActorRemoved,
)
ACTOR = Decider("devices.actor", Part, evolve)
