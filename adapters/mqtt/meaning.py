"""What an understood message means to the gateway: its kind, its command, its device."""

from hashlib import blake2b
from uuid import UUID

from adapters.mqtt.messages import (
    Answered,
    Discovery,
    Ignored,
    Malformed,
    Presence,
    Readings,
    Sign,
    StateMessage,
    Understood,
)
from adapters.mqtt.replies import Reply
from adapters.mqtt.reports import Reports
from adapters.mqtt.session import Arrived
from application.command import Command
from application.devices.readings import RecordReadings
from application.metrics.reports import ReportMetrics

KINDS: dict[type, str] = {
    Readings: "readings",
    Reports: "metrics",
    Discovery: "discovery",
    Presence: "presence",
    Answered: "response",
    Reply: "reply",
    StateMessage: "state",
    Sign: "sign",
    Malformed: "malformed",
    Ignored: "ignored",
}


def command_of(understood: Understood) -> Command | None:
    match understood:
        case Readings(device_id=device_id, readings=readings):
            return RecordReadings(readings=readings, device_id=device_id)
        case Reports(device_id=device_id, reports=reports):
            return ReportMetrics(device_id=device_id, reports=reports)
        case Discovery() | Presence() | Answered() | StateMessage():
            return understood.command
    return None


def device_of(understood: Understood) -> UUID | None:
    match understood:
        case (
            Readings(device_id=device_id)
            | Reports(device_id=device_id)
            | Sign(device_id=device_id)
            | Reply(device_id=device_id)
        ):
            return device_id
        case Discovery() | Presence() | Answered():
            return understood.command.device_id
    return None


def digest_of(message: Arrived) -> str:
    """Names the message by what it says, since the packet id is a different one after a broker's restart."""
    return blake2b(message.topic.encode() + b"\0" + message.payload, digest_size=8).hexdigest()
