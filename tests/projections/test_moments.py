"""A time is the last event by then, whichever clock said so, and whatever was looked through before."""

import random
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from psycopg.rows import TupleRow

from domain.identity.user import UserEnabled
from projections.as_of import AsOfError
from projections.audit.moments import Moments
from projections.audit.trail import AuditTrail
from projections.database import Database
from projections.positions import Positions
from tests.projections.conftest import BLOCK, running
from tests.projections.test_audit import BEGAN, Written, envelope, random_events

USER = UUID(int=77)


class Counting(Database):
    """Counts how often it is asked."""

    asked = 0

    async def fetch(
        self, query: bytes, values: Mapping[str, Any] | Sequence[Any] = (), patience: float = 2.0
    ) -> Sequence[TupleRow]:
        self.asked += 1
        return await super().fetch(query, values, patience)


def last_by(written: Written, time: datetime) -> int | None:
    """By looking at each."""
    return max((position for position, (*_, said) in enumerate(written.events, 1) if said.at <= time), default=None)


async def told(moments: Moments, time: datetime) -> int | None:
    try:
        return await moments.position_in_log(time.isoformat())
    except AsOfError:
        return None


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("settled", [timedelta(0), timedelta(days=10_000)])
async def test_a_time_is_the_last_event_by_then_while_the_log_grows(
    database: Database, positions: Positions, database_url: str, settled: timedelta, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("projections.audit.moments.SETTLED", settled)
    written, chance, kept = Written(database_url), random.Random(5), Moments(database)
    times = [BEGAN + timedelta(seconds=n / 2) for n in range(-8, 700, 9)]
    async with running(database_url, (AuditTrail,)):
        for count in (1, 40, 150, 3, 130):
            written.append(*random_events(count, chance))
            assert (await positions.fresh("trail")).fresh
            moments = kept if settled else Moments(database)  # nobody is late, once a time is settled
            for time in chance.choices(times, k=60):
                assert await told(moments, time) == last_by(written, time), time
    assert len(written.events) > 4 * BLOCK


async def test_an_event_that_comes_later_with_an_earlier_time_counts_until_nobody_can_be_late(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    written, moments = Written(database_url), Moments(database)
    monkeypatch.setattr("projections.audit.moments.SETTLED", timedelta(days=10_000))
    written.append(*((USER, UserEnabled(), envelope(at)) for at in (1, 2, 4)))
    time = BEGAN + timedelta(seconds=3)
    assert await told(moments, time) == 2
    written.append((USER, UserEnabled(), envelope(3)))
    assert await told(moments, time) == 4
    monkeypatch.undo()
    assert await told(moments, time) == 4
    written.append((USER, UserEnabled(), envelope(3)))
    assert await told(moments, time) == 4, "five minutes later, nobody is believed"


async def test_one_look_finds_a_position_and_a_time_that_was_asked_for_before(database_url: str) -> None:
    """Since it comes before every list of the past."""
    Written(database_url).append(*((USER, UserEnabled(), envelope(at)) for at in (1, 2, 3)))
    time = (BEGAN + timedelta(seconds=2)).isoformat()
    async with running(database_url, (AuditTrail,)), Counting(database_url) as database:
        moments = Moments(database)
        assert await moments.asked(time).resolve() == 2
        for text, position in (("1", 1), ("3", 3), (time, 2)):
            before, moment = database.asked, moments.asked(text)
            assert (await moment.resolve(), await moment.time()) == (position, BEGAN + timedelta(seconds=position))
            assert database.asked == before + 1
