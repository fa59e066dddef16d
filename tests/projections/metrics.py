"""Reports for the tests of the read models of metrics, and ways to apply them without a log."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID, uuid5

from domain.devices.device import DeviceRemoved
from domain.event import Envelope, Event, Recorded
from domain.metrics.report import Draft, Report, check
from domain.metrics.reports import MetricsReported
from projections.batch import Batch
from projections.readmodel import ReadModel, Target
from projections.runner import connect

NOON = 1_768_392_000
HOME = UUID("3814fb88-565c-5dc8-9b91-60d4002b6edc")


def device(number: int) -> UUID:
    return uuid5(HOME, f"metrics-{number}")


def moment(at: float) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=at)


def report(name: str, value: Any, ttl: int = 60, **changed: str) -> Report:
    """A report of a double, or of a text."""
    type = "string" if isinstance(value, str) else "double"
    fields: dict[str, Any] = {"name": name, "value": value, "units": "", "type": type, "slope": "both", "ttl": ttl}
    return check(Draft(**fields | changed))


class Fact(NamedTuple):
    """What happened to a device when: reports, or none, and then it was removed."""

    at: float
    device_id: UUID
    reports: Sequence[Report] = ()


def told(*facts: Fact, first: int = 1) -> list[Recorded]:
    """The log of these facts."""
    log = []
    for position, fact in enumerate(facts, first):
        event: Event = DeviceRemoved()
        if fact.reports:
            event = MetricsReported(device_id=fact.device_id, reports=tuple(fact.reports))
        envelope = Envelope(
            id=UUID(int=position), at=moment(fact.at), actor="user:1", source="http", correlation_id="test"
        )
        log.append(
            Recorded(position=position, aggregate_id=fact.device_id, version=position, event=event, envelope=envelope)
        )
    return log


async def apply(url: str, model: ReadModel, *batches: Sequence[Recorded], suffix: str = "") -> None:
    """Applies each batch in a transaction of its own."""
    async with await connect(url) as connection:
        for batch in batches:
            async with connection.transaction():
                await model.apply(Batch(batch), Target(connection, suffix))


async def empty(url: str, model: ReadModel) -> None:
    async with await connect(url) as connection:
        await connection.execute(f"TRUNCATE {', '.join(table.name for table in model.tables)}".encode())
