"""A topic: what it may be called, and how much of its past is kept. Nobody declares it; the first message makes it.

Beside the topics that people make there are those that hold the log itself, one for each context: `$events.devices`.
"""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from functools import lru_cache
from typing import Final, Literal

from msgspec.structs import replace

from domain.decider import Decider
from domain.errors import InvalidError
from domain.event import Event
from domain.streams.partition import START, Offsets
from domain.value import State, Value

LONGEST_NAME: Final = 255

_LOG: Final = "$events"
_CONTEXTS: Final = ("identity", "devices", "connectors", "metrics", "streams")
LOG_TOPICS: Final[Mapping[str, str]] = {f"{_LOG}.{context}": f"{context}." for context in _CONTEXTS}
"""The names of the topics that hold the log, with what the stored topics of their events begin with."""

# What a day that is over is done with.
Disposal = Literal["drop", "archive"]


class Retention(Value):
    """How much of a topic is kept: whole days, up to an age and a size (of all partitions together); absent means no
    limit. Today is always kept."""

    max_age_days: int | None = None
    max_bytes: int | None = None
    disposal: Disposal = "drop"


class RetentionSet(Event, topic="streams.topic.retention_set.v1"):
    name: str
    retention: Retention


class DayClosed(Event, topic="streams.topic.day_closed.v1"):
    """The values of the messages of one day (UTC), and of all before it, are not read any more. `first` is where each
    partition begins from now on; `archive` is the file that has what was taken out, empty when it is dropped."""

    name: str
    day: date
    first: tuple[Offsets, ...]
    archive: str = ""


class Topic(State):
    """`first` is where each partition begins, if days were closed."""

    name: str
    retention: Retention = Retention()
    first: tuple[Offsets, ...] = ()
    closed_until: date | None = None

    def begins_at(self, partition: int) -> Offsets:
        return self.first[partition] if self.first else START


class TopicNameError(InvalidError):
    code = "streams.topic_invalid"


class RetentionInvalidError(InvalidError):
    code = "streams.retention_invalid"


# Decide


@lru_cache(maxsize=4_096)  # looked at with every request
def check_name(name: str) -> str:
    """The name, if a topic may be called so. Raises TopicNameError."""
    if not name or name in (".", "..") or len(name.encode(errors="surrogatepass")) > LONGEST_NAME:
        raise TopicNameError("A topic has a name of 1 to 255 bytes that is not `.` or `..`.")
    if any(ord(letter) < 0x20 or 0x7F <= ord(letter) < 0xA0 or 0xD800 <= ord(letter) < 0xE000 for letter in name):
        raise TopicNameError("A topic's name has no control characters.")
    return name


def is_reserved(name: str) -> bool:
    """Whether only Tidemark itself writes there."""
    return name == _LOG or name.startswith(f"{_LOG}.")


def is_log(name: str) -> bool:
    return name in LOG_TOPICS


def set_retention(topic: Topic | None, name: str, retention: Retention) -> Sequence[Event]:
    if any(limit is not None and limit < 1 for limit in (retention.max_age_days, retention.max_bytes)):
        raise RetentionInvalidError("An age is one day at least, and a size one byte.")
    if (topic.retention if topic else Retention()) == retention:
        return ()
    return (RetentionSet(name=name, retention=retention),)


def close_day(topic: Topic | None, name: str, day: date, first: Sequence[Offsets], archive: str) -> Sequence[Event]:
    """Days are closed in their order, each once."""
    if topic is not None and topic.closed_until is not None and day <= topic.closed_until:
        return ()
    return (DayClosed(name=name, day=day, first=tuple(first), archive=archive),)


def days_to_close(retention: Retention, sizes: Mapping[date, int], today: date) -> Sequence[date]:
    """Which of the days that hold so many bytes are over and not to be kept, oldest first."""
    closing: list[date] = []
    left = sum(sizes.values())
    for day in sorted(sizes):
        is_old = retention.max_age_days is not None and day < today - timedelta(days=retention.max_age_days)
        is_too_much = retention.max_bytes is not None and left > retention.max_bytes
        if day >= today or not (is_old or is_too_much):
            break
        closing.append(day)
        left -= sizes[day]
    return closing


# Evolve


def evolve(topic: Topic | None, event: Event) -> Topic | None:
    match event:
        case RetentionSet():
            return replace(topic or Topic(name=event.name), retention=event.retention)
        case DayClosed():
            return replace(topic or Topic(name=event.name), first=event.first, closed_until=event.day)
    return topic


TOPIC = Decider("streams.topic", Topic, evolve)
