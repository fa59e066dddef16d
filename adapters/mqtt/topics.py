"""The topics of contract devices 3.1 and 3.5, all under one configured prefix."""

from enum import Enum, auto
from functools import lru_cache
from typing import NamedTuple
from uuid import UUID


class Kind(Enum):
    """What a message is about, told from its topic alone."""

    DISCOVERY = auto()
    READINGS = auto()
    STATUS = auto()
    SHARED = auto()  # `{topic}` itself: our own commands, and readings that say so
    RESPONSE = auto()  # what became of a command to an actor (3.5)
    REPORTS = auto()  # values of a device's metrics
    RESPONSES = auto()  # answers to questions that a device was asked as a whole
    STATE = auto()  # `state:…`, beside the prefix (3.4)
    OTHER = auto()


class Address(NamedTuple):
    """A topic, understood. `device` is the text in the place of the device's id, where there is one."""

    kind: Kind
    device: str | None = None


_OTHER = Address(Kind.OTHER)
_STATE = Address(Kind.STATE)
_SHARED = Address(Kind.SHARED)
STATE_PREFIX = "state:"
_OF_A_DEVICE = {
    "discovery": Kind.DISCOVERY,
    "readings": Kind.READINGS,
    "metrics": Kind.REPORTS,
    "status": Kind.STATUS,
    "response": Kind.RESPONSE,
    "responses": Kind.RESPONSES,
}
_OF_ALL = {"discovery": Address(Kind.DISCOVERY), "readings": Address(Kind.READINGS)}
# `{topic}/server/status` is our own birth and death.
_NO_DEVICE = frozenset(("server",))


class Topics:
    """Reads and writes topics under `prefix` (the setting `mqtt.topic`, by default `lambdaiot`). With `keeps_state`
    also those that begin with `state:`, which no filter of MQTT can name, so that everything is subscribed to."""

    def __init__(self, prefix: str, keeps_state: bool = True) -> None:
        self.prefix = prefix
        self._below = f"{prefix}/"
        self.server_status = f"{prefix}/server/status"
        # One subscription for everything, since only within one does a broker keep the order, and readings that
        # overtake the discovery of their sensors would be refused. `#` includes the parent level.
        self.subscription, self.other_subscription = ("#", f"{prefix}/#") if keeps_state else (f"{prefix}/#", "#")
        self._keeps_state = keeps_state
        self._address_below = lru_cache(maxsize=16_384)(self._parse)  # a fleet uses the same topics again and again

    def address(self, topic: str) -> Address:
        if topic.startswith(self._below):
            return self._address_below(topic)
        if topic == self.prefix:
            return _SHARED
        return _STATE if self._keeps_state and topic.startswith(STATE_PREFIX) else _OTHER

    def response(self, device_id: UUID) -> str:
        """Where a device hears what became of its announcement."""
        return f"{self.prefix}/{device_id}/response"

    def commands(self, device_id: UUID) -> str:
        """Where a device hears questions. They come back to us through our own subscription, as a topic that says
        nothing to us."""
        return f"{self.prefix}/{device_id}/commands"

    def _parse(self, topic: str) -> Address:
        device, slash, purpose = topic[len(self._below) :].partition("/")
        if not slash:
            return _OF_ALL.get(device, _OTHER)
        kind = _OF_A_DEVICE.get(purpose)
        return _OTHER if kind is None or device in _NO_DEVICE else Address(kind, device)
