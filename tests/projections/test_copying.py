"""PostgreSQL reads from rows that were made column by column what was put into them."""

from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID, uuid4

import psycopg
import pytest

from projections.copying import BEGIN, END, Column, microseconds, numbers, rows

MOMENTS = (
    datetime.min.replace(tzinfo=UTC),
    datetime(1999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    datetime(2026, 1, 14, 12, 0, 0, 1, tzinfo=timezone(timedelta(hours=-7))),
    datetime.max.replace(tzinfo=UTC),
)


def copied(url: str, found: list[tuple[int, UUID, float, datetime]]) -> list[tuple[object, ...]]:
    ids, uuids, values, moments = zip(*found, strict=True) if found else ((),) * 4
    made = rows(
        numbers("q", ids),
        Column(16, b"".join(uuid.bytes for uuid in uuids)),
        numbers("d", values),
        numbers("q", map(microseconds, moments)),
    )
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE copied (id bigint, uuid uuid, value double precision, at timestamptz)")
        with cursor.copy("COPY copied FROM STDIN (FORMAT binary)") as copy:
            copy.write(BEGIN + made + END)
        return cursor.execute("SELECT * FROM copied").fetchall()


def test_rows_are_read_as_they_were_made(database_url: str) -> None:
    numbered = zip((0, -1, 2**63 - 1, -(2**63)), (0.1, -0.0, float("inf"), 5e-324), MOMENTS, strict=True)
    found = [(id, uuid4(), value, at) for id, value, at in numbered]
    # Nobody can be told of the year 10000 in another time zone than UTC.
    assert copied(f"{database_url}?options=-ctimezone%3DUTC", found) == found


def test_no_rows_are_none(database_url: str) -> None:
    assert copied(database_url, []) == []


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1])
def test_a_number_that_does_not_fit_is_refused(number: int) -> None:
    with pytest.raises(OverflowError):
        numbers("q", [number])
