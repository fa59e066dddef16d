"""The `state:` store."""

from collections.abc import Mapping, Sequence

from application.command import Aggregates, Change, Command, Handler, change
from domain.devices import state_message
from domain.devices.state_message import STATE_MESSAGES
from domain.identifiers import state_messages_id


class ReceiveStateMessage(Command):
    """Somebody published on a topic that begins with `state:`."""

    mqtt_topic: str
    payload: bytes


def receive_state_message(command: ReceiveStateMessage, aggregates: Aggregates) -> Sequence[Change]:
    stream = state_messages_id(aggregates.now.date())
    return [change(STATE_MESSAGES, stream, state_message.receive(command.mqtt_topic, command.payload))]


HANDLERS: Mapping[type[Command], Handler] = {ReceiveStateMessage: receive_state_message}
