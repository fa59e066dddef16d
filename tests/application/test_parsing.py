"""Ids, times and numbers of the wire: the traps of contract devices 1.3 and 1.6."""

from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as some

from application.parsing import is_finite_number, parse_rfc3339, parse_uuid

ID = "3814fb88-565c-5dc8-9b91-60d4002b6edc"


@given(some.uuids())
def test_an_id_of_any_version_and_case_is_taken(id: UUID) -> None:
    assert parse_uuid(str(id)) == parse_uuid(str(id).upper()) == id


@pytest.mark.parametrize(
    "text", [ID.replace("-", ""), f"{{{ID}}}", f"urn:uuid:{ID}", f"{ID} ", f"{ID}\n", ID[:-1], "", ID.replace("3", "٣")]
)
def test_an_id_in_another_form_is_none(text: str) -> None:
    assert parse_uuid(text) is None


_zones = some.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(some.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1), timezones=_zones))  # noqa: DTZ001  # the bounds of a strategy are naive
def test_an_instant_is_the_same_in_every_zone(moment: datetime) -> None:
    parsed = parse_rfc3339(moment.isoformat())
    assert parsed == moment
    assert parsed.tzinfo is UTC


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-01-14T10:00:00Z", datetime(2026, 1, 14, 10, tzinfo=UTC)),
        ("2026-01-14t10:00:00z", datetime(2026, 1, 14, 10, tzinfo=UTC)),
        ("2026-01-14T10:00:00.5Z", datetime(2026, 1, 14, 10, 0, 0, 500_000, tzinfo=UTC)),
        ("2026-01-14T10:00:00.123456789Z", datetime(2026, 1, 14, 10, 0, 0, 123_456, tzinfo=UTC)),
        ("2026-01-14T10:00:00+05:30", datetime(2026, 1, 14, 4, 30, tzinfo=UTC)),
        ("2026-01-14T10:00:00-00:00", datetime(2026, 1, 14, 10, tzinfo=UTC)),
    ],
)
def test_rfc3339_is_taken_with_offsets_and_fractions(text: str, moment: datetime) -> None:
    assert parse_rfc3339(text) == moment


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-14T10:00:00",
        "2026-01-14 10:00:00Z",
        "2026-01-14",
        "20260114T100000Z",
        "2026-W03-3T10:00:00Z",
        "2026-01-14T10:00Z",
        "2026-01-14T10:00:00+0530",
        "2026-01-14T10:00:00+24:00",
        "2026-01-14T10:00:00,5Z",
        "2026-01-14T10:00:00.Z",
        "2026-02-30T10:00:00Z",
        "2026-01-14T24:00:00Z",
        "2026-01-14T23:59:60Z",
        "0001-01-01T00:00:00+05:00",
        "2026-01-14T10:00:00Z\n",
        "٢٠٢٦-01-14T10:00:00Z",
        "",
    ],
)
def test_what_is_not_rfc3339_with_a_zone_is_none(text: str) -> None:
    assert parse_rfc3339(text) is None


@given(some.text())
def test_no_text_makes_a_parser_fail(text: str) -> None:
    parse_uuid(text)
    parse_rfc3339(text)


@pytest.mark.parametrize("value", [True, False, None, "1", float("nan"), float("inf"), -float("inf"), 10**400, []])
def test_what_no_double_holds_is_no_number(value: object) -> None:
    assert not is_finite_number(value)


@pytest.mark.parametrize("value", [0, -1, 1.5, 10**300])
def test_zero_and_negative_are_numbers(value: object) -> None:
    assert is_finite_number(value)
