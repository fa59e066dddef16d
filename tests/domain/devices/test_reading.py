from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from math import inf, nan
from uuid import UUID

import pytest

from domain.devices.reading import (
    READING,
    Amended,
    Measurement,
    ReadingCorrected,
    ReadingRemoved,
    RecordedReading,
    correct,
    remove,
)
from domain.devices.readings import ValueNotFiniteError
from domain.errors import NotFoundError
from domain.event import Event
from domain.identifiers import VALUES_PER_EVENT, amendment_id, reading_id, reading_place
from tests.domain.specification import given

SENSOR = UUID("2e4abd8d-5d31-56b9-9bd9-84d9d7d57947")
TEN = datetime(2026, 1, 14, 10, tzinfo=UTC)
ELEVEN = TEN + timedelta(hours=1)
RECORDED = RecordedReading(id=1025, sensor_id=SENSOR, measurement=Measurement(value=22.5, value_at=TEN))

REMOVED = ReadingRemoved(reading_id=1025, sensor_id=SENSOR)


def corrected(value: float, value_at: datetime = TEN) -> ReadingCorrected:
    return ReadingCorrected(reading_id=1025, sensor_id=SENSOR, value=value, value_at=value_at)


def correcting(
    value: float | None = None, value_at: datetime | None = None
) -> Callable[[Amended | None], Sequence[Event]]:
    return lambda amended: correct(amended, RECORDED, value, value_at)


def removing(amended: Amended | None) -> Sequence[Event]:
    return remove(amended, RECORDED)


def test_a_correction_says_the_whole_of_what_the_reading_says_now() -> None:
    given(READING).when(correcting(value=23)).then(corrected(23))
    given(READING).when(correcting(value_at=ELEVEN)).then(corrected(22.5, ELEVEN))
    given(READING).when(correcting(0, ELEVEN)).then(corrected(0, ELEVEN))


def test_a_second_correction_begins_with_the_first_whatever_was_recorded() -> None:
    given(READING, corrected(23)).when(correcting(value_at=ELEVEN)).then(corrected(23, ELEVEN))
    given(READING, corrected(23)).when(correcting(value=22.5)).then(corrected(22.5))


def test_what_changes_nothing_records_nothing() -> None:
    given(READING).when(correcting()).then_nothing()
    given(READING).when(correcting(22.5, TEN)).then_nothing()
    given(READING, corrected(23)).when(correcting(value=23)).then_nothing()


def test_an_instant_in_another_zone_is_the_same_instant() -> None:
    elsewhere = datetime.fromisoformat("2026-01-14T11:00:00+01:00")
    given(READING).when(correcting(value_at=elsewhere)).then_nothing()


@pytest.mark.parametrize("value", [nan, inf, -inf])
def test_a_reading_is_corrected_to_numbers_only(value: float) -> None:
    given(READING).when(correcting(value=value)).then_refused(ValueNotFiniteError, "devices.value_not_finite")


def test_a_reading_can_be_removed_whether_it_was_corrected_or_not() -> None:
    assert list(removing(None)) == [REMOVED]
    assert list(removing(given(READING, corrected(23)).state)) == [REMOVED]


def test_a_removed_reading_is_not_there_to_be_changed() -> None:
    given(READING, REMOVED).when(correcting(value=1)).then_refused(NotFoundError, "domain.not_found")
    given(READING, REMOVED).when(correcting()).then_refused(NotFoundError, "domain.not_found")
    given(READING, corrected(1), REMOVED).when(removing).then_refused(NotFoundError, "domain.not_found")


def test_every_reading_has_amendments_of_its_own() -> None:
    assert amendment_id(1025) == UUID("91fac2a3-85c6-5d8d-987f-62cdc932d32b")
    assert len({amendment_id(id) for id in range(1, 100)}) == 99


def test_a_reading_knows_the_place_where_it_was_recorded() -> None:
    for place in ((1, 0), (7, VALUES_PER_EVENT - 1), (10**12, 5)):
        assert reading_place(reading_id(*place)) == place
