"""What anybody publishes on topics that begin with `state:` (contract 3.4). One stream a day, never replayed."""

from collections.abc import Sequence

from domain.decider import Decider
from domain.event import Event
from domain.value import State


class StateMessageReceived(Event, topic="devices.state_message.received.v1"):
    """A message as it came. `raw` is there (base64) when it was no UTF-8 and `payload` shows replacements for that."""

    mqtt_topic: str
    payload: str
    raw: bytes | None = None


class StateMessages(State):
    """Nothing: a day of messages takes the next ones without looking back."""


# Decide


def receive(mqtt_topic: str, payload: bytes) -> Sequence[Event]:
    try:
        return (StateMessageReceived(mqtt_topic=mqtt_topic, payload=payload.decode()),)
    except UnicodeDecodeError:
        shown = payload.decode(errors="replace")
        return (StateMessageReceived(mqtt_topic=mqtt_topic, payload=shown, raw=payload),)


# Evolve


def evolve(state: StateMessages | None, event: Event) -> StateMessages | None:
    return state


STATE_MESSAGES = Decider("devices.state_message", StateMessages, evolve, tail=0)
