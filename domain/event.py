"""Events: complete facts in the operator's words, and the envelope that says who, when, through what and why."""

from datetime import datetime
from typing import Any, ClassVar, Literal
from uuid import UUID

from domain.value import Value, ValueMeta

Source = Literal["http", "mqtt", "websocket", "connector", "system"]


class EventMeta(ValueMeta):
    """Takes the stored topic, and the fields that never leave the log, from the class statement."""

    topic: str
    private: tuple[str, ...]
    withheld: tuple[str, ...]
    forgets: bool

    def __new__(
        mcls,
        name: str,
        bases: tuple[type, ...],
        namespace: dict[str, Any],
        *,
        topic: str = "",
        private: tuple[str, ...] = (),
        forgets: bool = False,
        **config: Any,
    ) -> "EventMeta":
        cls: EventMeta = super().__new__(mcls, name, bases, namespace, **config)  # type: ignore[assignment]  # a metaclass returns its own kind
        cls.topic = topic
        cls.private = private
        cls.withheld = (*private, *cls.personal)
        cls.forgets = forgets
        return cls


class Event(Value, metaclass=EventMeta):
    """A fact. `topic` is its stored name, `<context>.<aggregate>.<participle>.vN`, which never changes.

    `private` names fields that stay in the log, as do the personal ones: what is `withheld` so is left out of NATS and
    of every answer. An event that `forgets` destroys the key of its `person` with the commit that records it.
    """

    topic: ClassVar[str]
    private: ClassVar[tuple[str, ...]]
    withheld: ClassVar[tuple[str, ...]]
    forgets: ClassVar[bool]

    def upcast(self) -> "Event":
        """The same fact in its present shape. Only superseded versions override this."""
        return self


class Origin(Value):
    """Where a command comes from; copied onto every event it causes.

    `actor` is `user:<id>`, `device:<id>`, `system:<part>`, or `anonymous` where nobody was asked who he is.
    `causation_id` names the message, request or event that made the command, where there is one beyond the correlation
    itself.
    """

    actor: str
    source: Source
    correlation_id: str
    causation_id: str | None = None


class Envelope(Value):
    """What every stored event carries around its data."""

    id: UUID
    at: datetime
    actor: str
    source: Source
    correlation_id: str
    causation_id: str | None = None


class Recorded(Value):
    """An event as the log holds it. `position` orders the whole log, gapless from 1; `version` its aggregate."""

    position: int
    aggregate_id: UUID
    version: int
    event: Event
    envelope: Envelope
