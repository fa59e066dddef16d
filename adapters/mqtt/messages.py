"""From a topic and its payload to what a device said (contract devices 3.2, 3.5), strictly and without effects."""

import re
from typing import Annotated, Any, Literal, NamedTuple
from uuid import UUID

import msgspec
from msgspec import UNSET, UnsetType

from adapters.mqtt.replies import Reply, reply_of
from adapters.mqtt.reports import Reports, reports_in
from adapters.mqtt.topics import Address, Kind, Topics
from application.devices.command import ReportResponse
from application.devices.device import AnnounceDevice, ReportPresence
from application.devices.state_message import ReceiveStateMessage
from application.parsing import parse_rfc3339, parse_uuid
from domain.devices.command import Response
from domain.devices.device import ERROR, OFFLINE, OK, WARNING, Status
from domain.devices.part import PartDescription
from domain.devices.readings import Reading
from domain.identifiers import device_id_of_mac
from domain.metrics.report import ReportInvalidError

MAX_DISCOVERY_BYTES = 64 * 1024
MAX_DISCOVERY_ENTRIES = 256
MAX_READINGS = 500
MAX_STATUS_BYTES = 64
MAX_RESPONSE_BYTES = 64 * 1024
MAX_STATE_BYTES = 64 * 1024


class Discovery(NamedTuple):
    command: AnnounceDevice


class Readings(NamedTuple):
    """Values of one message. `rejected` elements were not readings; the others are not spoilt by them."""

    device_id: UUID | None
    readings: tuple[Reading, ...]
    rejected: int = 0


class Presence(NamedTuple):
    command: ReportPresence


class Sign(NamedTuple):
    """A sign of life and no more."""

    device_id: UUID


class Answered(NamedTuple):
    """What became of a command."""

    command: ReportResponse


class StateMessage(NamedTuple):
    """Something for the `state:` store."""

    command: ReceiveStateMessage


class Ignored(NamedTuple):
    """Not for us. Nothing is wrong with it."""

    reason: str


class Malformed(NamedTuple):
    """Meant for us and not understood. `reason` names the fault without quoting the payload."""

    reason: str


Understood = Discovery | Readings | Reports | Presence | Answered | Reply | StateMessage | Sign | Ignored | Malformed


class FaultError(ValueError):
    """Why a message is Malformed."""


def understand(topics: Topics, topic: str, payload: bytes, retained: bool) -> Understood:
    """What the message says. `retained` marks a copy that the broker had kept, so it may be old."""
    address = topics.address(topic)
    try:
        match address.kind:
            case Kind.READINGS:
                return _readings(address, payload, retained)
            case Kind.REPORTS:
                return _reports(address, payload, retained)
            case Kind.DISCOVERY:
                return _discovery(address, payload, retained)
            case Kind.STATUS:
                return _presence(address, payload)
            case Kind.SHARED:
                return _shared(payload, retained)
            case Kind.RESPONSE:
                return _response(address, payload, retained)
            case Kind.RESPONSES:
                return _reply(address, payload, retained)
            case Kind.STATE:
                return _state(topic, payload, retained)
            case Kind.OTHER:
                return Ignored("unknown topic")
    except (FaultError, ReportInvalidError) as fault:
        return Malformed(str(fault))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):  # the last for 100,000 brackets
        return Malformed("not valid JSON of the documented shape")
    except Exception as defect:  # noqa: BLE001  # raising would cut the connection, and the message would come again
        return Malformed(f"not understood: {type(defect).__name__}")


# Readings


class _ReadingBody(msgspec.Struct):
    sensor_id: str
    value: float
    value_at: str | None = None
    type: str | None = None


_one_reading = msgspec.json.Decoder(_ReadingBody)
_many_readings = msgspec.json.Decoder(list[_ReadingBody])
_elements = msgspec.json.Decoder(list[msgspec.Raw])


def _readings(address: Address, payload: bytes, retained: bool) -> Understood:
    if not payload:
        return Ignored("empty")
    device_id = _device_id(address)
    readings, rejected = _elements_of(payload)
    if retained and any(reading.value_at is None for reading in readings):
        # It is delivered at every subscription, and without a time of its own it would be another value each time.
        return Ignored("a kept reading without a time")
    return Readings(device_id, tuple(readings), rejected)


def _elements_of(payload: bytes) -> tuple[list[Reading], int]:
    if payload.lstrip()[:1] != b"[":
        return [_reading(_one_reading.decode(payload))], 0
    try:
        # Nearly always all is well, and one decoding into structs is by far the fastest.
        bodies = _many_readings.decode(payload)
        _limit_readings(len(bodies))
        return [_reading(body) for body in bodies], 0
    except (FaultError, msgspec.ValidationError):
        return _good_elements(_elements.decode(payload))


def _good_elements(elements: list[msgspec.Raw]) -> tuple[list[Reading], int]:
    _limit_readings(len(elements))
    good: list[Reading] = []
    for element in elements:
        try:
            good.append(_reading(_one_reading.decode(element)))
        except (FaultError, msgspec.DecodeError):
            continue
    if not good:
        raise FaultError("no element is a reading")
    return good, len(elements) - len(good)


def _limit_readings(count: int) -> None:
    if not 0 < count <= MAX_READINGS:
        raise FaultError(f"an array must hold 1 to {MAX_READINGS} readings")


def _reading(body: _ReadingBody) -> Reading:
    sensor_id = parse_uuid(body.sensor_id)
    if sensor_id is None:
        raise FaultError("invalid sensor_id")
    if body.type is not None and body.type != "sensor_reading":
        raise FaultError("not of type sensor_reading")
    if body.value_at is None:
        return Reading(sensor_id=sensor_id, value=body.value)
    value_at = parse_rfc3339(body.value_at)
    if value_at is None:
        raise FaultError("invalid value_at")
    return Reading(sensor_id=sensor_id, value=body.value, value_at=value_at)


class _Typed(msgspec.Struct):
    type: str = ""


_typed = msgspec.json.Decoder(_Typed)


def _shared(payload: bytes, retained: bool) -> Understood:
    """On `{topic}` everybody talks, we too: only what calls itself a reading is one (cases MQ41, Q14)."""
    try:
        kind = _typed.decode(payload).type
    except msgspec.DecodeError:
        return Ignored("no object with a type")
    if kind != "sensor_reading":
        return Ignored("another type")
    return _readings(Address(Kind.READINGS), payload, retained)


# Reports of metrics


def _reports(address: Address, payload: bytes, retained: bool) -> Understood:
    if not payload:
        return Ignored("empty")
    device_id = _device_id(address)
    assert device_id is not None  # the topic has a place for it
    if retained:
        return Ignored("a kept copy")  # it says what was so at some time, and would be what is so now
    return reports_in(device_id, payload)


# Responses


class _ResponseBody(msgspec.Struct):
    type: str = ""
    actor_id: str = ""
    action: str = ""
    status: Literal["ok", "error"] = "ok"
    value: Any | UnsetType = UNSET
    error: str | None = None


_response_body = msgspec.json.Decoder(_ResponseBody)


def _response(address: Address, payload: bytes, retained: bool) -> Understood:
    device_id = parse_uuid(address.device or "")
    if device_id is None:
        return Ignored("not a device's")
    try:
        kind = _typed.decode(payload).type
    except (msgspec.DecodeError, UnicodeDecodeError):
        kind = ""
    if kind != "actor_response" or retained:
        return Sign(device_id)
    if len(payload) > MAX_RESPONSE_BYTES:
        raise FaultError(f"longer than {MAX_RESPONSE_BYTES} bytes")
    body = _response_body.decode(payload)
    actor_id = parse_uuid(body.actor_id)
    if actor_id is None:
        raise FaultError("invalid actor_id")
    response = Response(actor_id=actor_id, action=body.action, status=body.status, value=body.value, error=body.error)
    return Answered(ReportResponse(device_id=device_id, response=response))


# Replies


def _reply(address: Address, payload: bytes, retained: bool) -> Understood:
    """Read as leniently as what comes over a WebSocket (2.2): what is no reply is a sign of life all the same."""
    device_id = parse_uuid(address.device or "")
    if device_id is None:
        return Ignored("not a device's")
    if retained:
        return Ignored("a kept copy")
    if len(payload) > MAX_RESPONSE_BYTES:
        raise FaultError(f"longer than {MAX_RESPONSE_BYTES} bytes")
    return reply_of(device_id, payload) or Sign(device_id)


# The `state:` store


def _state(topic: str, payload: bytes, retained: bool) -> Understood:
    if retained:
        return Ignored("a kept copy")  # it is delivered at every subscription, and was stored when it was new
    if len(payload) > MAX_STATE_BYTES:
        raise FaultError(f"longer than {MAX_STATE_BYTES} bytes")
    return StateMessage(ReceiveStateMessage(mqtt_topic=topic, payload=payload))


# Discovery

# PostgreSQL's text holds everything but NUL, and its bigint is the widest id a read model can keep.
_Text = Annotated[str, msgspec.Meta(pattern=r"\A[^\x00]*\Z")]
_Count = Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)]
_MAC = re.compile(r"[0-9a-f]{2}([:-]?[0-9a-f]{2}){5}", re.IGNORECASE)


class _DeviceBody(msgspec.Struct):
    id: str | None = None
    name: _Text | None = None
    description: _Text | None = None
    location: _Text | None = None


class _PartBody(msgspec.Struct):
    id: str
    name: _Text
    type: _Text
    data_type_id: _Count


class _DiscoveryBody(msgspec.Struct):
    device: _DeviceBody | None = None
    mac_address: str | None = None
    sensors: list[_PartBody] | None = None
    actors: list[_PartBody] | None = None


_discovery_body = msgspec.json.Decoder(_DiscoveryBody)


def _discovery(address: Address, payload: bytes, retained: bool) -> Understood:
    if not payload:
        return Ignored("empty")  # clears a retained message (3.2 rule 12)
    if len(payload) > MAX_DISCOVERY_BYTES:
        raise FaultError(f"longer than {MAX_DISCOVERY_BYTES} bytes")
    body = _discovery_body.decode(payload)
    if len(body.sensors or ()) + len(body.actors or ()) > MAX_DISCOVERY_ENTRIES:
        raise FaultError(f"more than {MAX_DISCOVERY_ENTRIES} sensors and actors")
    device = body.device or _DeviceBody()
    mac_address = _mac_address(body.mac_address)
    device_id = _announced_id(device.id, mac_address)
    if _device_id(address) not in (None, device_id):
        raise FaultError("the device announces another id than its topic names")
    return Discovery(
        AnnounceDevice(
            device_id=device_id,
            mac_address=mac_address,
            name=device.name,
            description=device.description,
            location=device.location,
            sensors=_parts(body.sensors),
            actors=_parts(body.actors),
            live=not retained,
        )
    )


def _announced_id(text: str | None, mac_address: str | None) -> UUID:
    if text:
        device_id = parse_uuid(text)
        if device_id is None:
            raise FaultError("invalid device id")
        return device_id
    if mac_address is None:
        raise FaultError("neither a device id nor a valid mac_address")
    return device_id_of_mac(mac_address)


def _mac_address(text: str | None) -> str | None:
    """In one form, so that announcements compare; None for what is no MAC, since other ids do without."""
    if text is None or not _MAC.fullmatch(text):
        return None
    digits = text.lower().replace(":", "").replace("-", "")
    return ":".join(digits[start : start + 2] for start in range(0, 12, 2))


def _parts(bodies: list[_PartBody] | None) -> tuple[PartDescription, ...] | None:
    return None if bodies is None else tuple(_part(body) for body in bodies)


def _part(body: _PartBody) -> PartDescription:
    id = parse_uuid(body.id)
    if id is None:
        raise FaultError("invalid id of a sensor or an actor")
    return PartDescription(id=id, name=body.name, type=body.type, data_type_id=body.data_type_id)


# Presence

_STATUS_OF_WORD: dict[str, Status] = {
    "online": OK,
    "ready": OK,
    "init": OK,
    "sleeping": OK,
    "alert": WARNING,
    "error": ERROR,
    "offline": OFFLINE,
    "lost": OFFLINE,
    "disconnected": OFFLINE,
}


def _presence(address: Address, payload: bytes) -> Understood:
    """A retained word is taken like a fresh one: by the convention of wills and births it is the present state."""
    if not payload:
        return Ignored("empty")
    device_id = _device_id(address)
    word = payload[:MAX_STATUS_BYTES].decode().strip().lower()
    status = _STATUS_OF_WORD.get(word)
    if device_id is None or status is None:
        raise FaultError("no known status")
    return Presence(ReportPresence(device_id=device_id, status=status, word=word, through="mqtt"))


def _device_id(address: Address) -> UUID | None:
    if address.device is None:
        return None
    device_id = parse_uuid(address.device)
    if device_id is None:
        raise FaultError("no device id in the topic")
    return device_id
