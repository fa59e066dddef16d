"""Ids made from natural keys, so that the log's primary key enforces uniqueness and survives a race."""

from datetime import date
from functools import lru_cache
from uuid import NAMESPACE_DNS, UUID, uuid5

TIDEMARK = uuid5(NAMESPACE_DNS, "tidemark.invalid")


def user_id(username: str) -> UUID:
    """One account per username, whatever its capitals (contract devices 1.3)."""
    return uuid5(TIDEMARK, f"user/{username.casefold()}")


@lru_cache(maxsize=16_384)  # who reports says it each time
def external_device_id(external_id: str) -> UUID:
    """The claim on what other systems call a device: whoever has the text finds there which device holds it."""
    return uuid5(TIDEMARK, f"device/{external_id}")


@lru_cache(maxsize=16_384)  # looked for with every command
def link_id(device: str, device_id: UUID | None) -> UUID:
    """The stream of the connections that a device makes, whether it calls itself by its id or its external id; a device
    that is not registered has the name that it gives itself."""
    return uuid5(device_id, "link") if device_id else uuid5(TIDEMARK, f"link/{device}")


REGISTRY_ID = uuid5(TIDEMARK, "registry")


def logins_id(user_id: UUID, day: date) -> UUID:
    """The stream of the logins as one user that failed on one day (UTC)."""
    return uuid5(user_id, f"logins/{day.isoformat()}")


def source_id(source: str, day: date) -> UUID:
    """The stream of the logins from one source that failed on one day (UTC)."""
    return uuid5(TIDEMARK, f"source/{source}/{day.isoformat()}")


def access_id(asker: str, day: date) -> UUID:
    """The stream of what was refused to one asker, an actor or a source, on one day (UTC)."""
    return uuid5(TIDEMARK, f"access/{asker}/{day.isoformat()}")


def acquaintance_id(user_id: UUID, source: str) -> UUID:
    """One for each user and source."""
    return uuid5(user_id, f"source/{source}")


def device_id_of_mac(mac_address: str) -> UUID:
    """The id a device derives from its MAC: UUIDv5 in the DNS namespace, lower case, no separators (3.2)."""
    return uuid5(NAMESPACE_DNS, bare_mac_address(mac_address))


def bare_mac_address(mac_address: str) -> str:
    """The address as it is compared: lower case, no separators."""
    return mac_address.lower().replace(":", "").replace("-", "")


@lru_cache(maxsize=65_536)  # asked for with every reading; a SHA-1 and a UUID take 3 µs
def readings_id(device_id: UUID, day: date) -> UUID:
    """The stream of one device's readings received on one day (UTC)."""
    return uuid5(device_id, f"readings/{day.isoformat()}")


@lru_cache(maxsize=65_536)  # looked for with every reading
def commands_id(device_id: UUID) -> UUID:
    """The stream of everything that one device is asked for."""
    return uuid5(device_id, "commands")


@lru_cache(maxsize=16)
def state_messages_id(day: date) -> UUID:
    """The stream of the `state:` messages received on one day (UTC)."""
    return uuid5(TIDEMARK, f"state-messages/{day.isoformat()}")


@lru_cache(maxsize=65_536)  # asked for with every report
def reports_id(device_id: UUID, day: date) -> UUID:
    """The stream of what is reported of one device's metrics on one day (UTC)."""
    return uuid5(device_id, f"metrics/{day.isoformat()}")


@lru_cache(maxsize=16_384)  # looked for with every report
def metric_id(name: str) -> UUID:
    """A metric of whatever device. Names are compared exactly, may be of any length and hold any character."""
    return uuid5(TIDEMARK, f"metric/{name}")


def instance_place_id(owner: str, type_id: str) -> UUID:
    """The place of an owner's one instance of a connector type."""
    return uuid5(TIDEMARK, _joined("connector instance", owner, type_id))


def client_place_id(owner: str, subject: str, type_id: str) -> UUID:
    """The place of the one client of a connector type that an owner has for a subject."""
    return uuid5(TIDEMARK, _joined("connector client", owner, subject, type_id))


def subject_id(owner: str, subject: str) -> UUID:
    """Where an owner's subject is recorded."""
    return uuid5(TIDEMARK, _joined("connector subject", owner, subject))


def type_place_id(type_id: str) -> UUID:
    """The place of a published connector type, whoever publishes it."""
    return uuid5(TIDEMARK, _joined("connector type", type_id))


CONNECTOR_NUMBERS_ID = uuid5(TIDEMARK, "connector numbers")


def made_thing_id(client_id: UUID, connector_thing_id: str) -> UUID:
    """The thing that a client makes of what the foreign system calls so: the same whenever it is made again."""
    return uuid5(client_id, f"thing/{connector_thing_id}")


@lru_cache(maxsize=65_536)  # asked for with every update
def thing_stream_id(thing_id: UUID) -> UUID:
    """Where a thing is recorded. Its own id names the device that it is too."""
    return uuid5(thing_id, "thing")


@lru_cache(maxsize=65_536)  # asked for with every update
def thing_sensor_id(thing_id: UUID, component_id: str, property_id: str) -> UUID:
    """The sensor that a thing's property is in the registry. Neither id holds a slash."""
    return uuid5(thing_id, f"sensor/{component_id}/{property_id}")


@lru_cache(maxsize=65_536)  # asked for with every update
def properties_id(thing_id: UUID, day: date) -> UUID:
    """The stream of what one thing's properties came to be on one day (UTC)."""
    return uuid5(thing_id, f"properties/{day.isoformat()}")


def push_id(client_id: UUID, timestamp: str, signature: str) -> UUID:
    """What was pushed to a client: the same for the same push."""
    return uuid5(client_id, _joined("push", timestamp, signature))


@lru_cache(maxsize=65_536)  # looked for with every message
def partition_id(topic: str, partition: int) -> UUID:
    """The stream of one partition of a topic."""
    return uuid5(TIDEMARK, f"partition/{partition}/{topic}")


def topic_id(topic: str) -> UUID:
    """What was decided about a topic, beside its messages."""
    return uuid5(TIDEMARK, f"topic/{topic}")


@lru_cache(maxsize=16_384)  # looked for with every poll
def consumer_stream_id(consumer_id: str) -> UUID:
    """Where a consumer is recorded, which chooses its own id."""
    return uuid5(TIDEMARK, f"consumer/{consumer_id}")


@lru_cache(maxsize=16_384)
def group_id(group: str) -> UUID:
    """The stream of a group of consumers."""
    return uuid5(TIDEMARK, f"group/{group}")


def submission_id(actor: str, topic: str, key: str) -> UUID:
    """A request to produce that has a key: of one and the same actor, in one topic."""
    return uuid5(TIDEMARK, _joined("submission", actor, topic, key))


def _joined(*parts: str) -> str:
    """No two lists of texts are joined to one, whatever they hold."""
    return "/".join(f"{len(part)}:{part}" for part in parts)


# One event holds at most so many values, and the ids of its values are consecutive.
VALUES_PER_EVENT = 1024


def reading_id(position: int, index: int) -> int:
    """The public id of the `index`-th value of the event at `position`: growing, never reused, same on rebuild."""
    return position * VALUES_PER_EVENT + index


def amendment_id(reading_id: int) -> UUID:
    """What was corrected or removed of one reading, by the reading's public id."""
    return uuid5(TIDEMARK, f"reading/{reading_id}")


def reading_place(reading_id: int) -> tuple[int, int]:
    """The position of the event that recorded the reading, and the reading's index in it."""
    return divmod(reading_id, VALUES_PER_EVENT)
