"""Closing a day takes values out of signed events: the log stays proved, and every other change is found."""

import psycopg
import pytest

from adapters.proof.checkpoint_file import checkpoints_in
from adapters.proof.withholding import without_values
from adapters.streams.values import LogValues
from domain.identifiers import partition_id, topic_id
from domain.streams.partition import Offsets
from domain.streams.topic import DayClosed
from tests.adapters.proof.signed_log import AT, NAME, SignedLog

CLOSED = 6  # the first of these entries, which are events 3, 6, … 18


FIRST = (Offsets(offset=2 * CLOSED, entries=CLOSED), *[Offsets(offset=0)] * 3)


@pytest.fixture
async def closed(signed: SignedLog) -> SignedLog:
    await close(signed)
    with signed.connection() as connection:
        signed.insert(connection, 26, topic_id(NAME), DayClosed(name=NAME, day=AT.date(), first=FIRST))
    signed.sign()
    signed.export()
    return signed


async def close(log: SignedLog) -> None:
    assert await LogValues(log.url, None).remove(NAME, FIRST) == CLOSED


async def test_the_log_stays_proved(closed: SignedLog) -> None:
    assert closed.verify().proved == 26
    closed.export(checkpoints=False)
    status, said = closed.offline()
    assert status == 0, said
    with psycopg.connect(closed.url) as connection:
        rows = connection.execute(
            "SELECT notification_id FROM events WHERE position('values_sha256'::bytea IN state) > 0 ORDER BY 1"
        ).fetchall()
    assert [position for (position,) in rows] == [3, 6, 9, 12, 15, 18]


async def test_it_is_proved_whether_it_was_signed_before_or_after(closed: SignedLog) -> None:
    closed.execute("DELETE FROM proof_checkpoints")
    signed_before = [checkpoint.statement for checkpoint in checkpoints_in(closed.checkpoints)]
    signed_after = [checkpoint.statement for checkpoint in closed.sign()]
    assert signed_after[:2] == signed_before[:2], "the third has the closing itself"


@pytest.mark.parametrize(
    "change",
    [
        "state = set_byte(state, octet_length(state) - 10, get_byte(state, octet_length(state) - 10) # 1)",
        "state = convert_to(replace(convert_from(state, 'UTF8'), '\"offset\":2', '\"offset\":3'), 'UTF8')",
        "state = convert_to(replace(convert_from(state, 'UTF8'), '\"values\":[]}', '\"values\":[1]}'), 'UTF8')",
        "state = convert_to(replace(convert_from(state, 'UTF8'), '\"values_sha256\"', '\"x\"'), 'UTF8')",
        "originator_version = 99",
    ],
)
async def test_a_closed_event_that_was_changed_is_found(closed: SignedLog, change: str) -> None:
    closed.execute(f"UPDATE events SET {change} WHERE notification_id = 6")
    assert closed.wrong() == (6, "changed")
    closed.export(checkpoints=False)
    assert closed.offline()[1].startswith("WRONG: position 6: changed")


async def test_values_that_were_taken_out_without_a_closing_are_missed(signed: SignedLog, closed: SignedLog) -> None:
    stream = partition_id(NAME, 0)
    rows = "SELECT originator_version, state FROM events WHERE originator_id = %s AND originator_version >= 7"
    with signed.connection() as connection:
        for version, state in connection.execute(rows, (stream,)).fetchall():
            connection.execute(
                "UPDATE events SET state = %s WHERE originator_id = %s AND originator_version = %s",
                (without_values(state), stream, version),
            )
    assert signed.wrong() == (21, "emptied")
    signed.export(checkpoints=False)
    assert signed.offline()[1].startswith("WRONG: position 21: emptied")


async def test_an_event_that_was_emptied_without_its_digest_is_found(signed: SignedLog) -> None:
    signed.execute(
        "UPDATE events SET state = convert_to(regexp_replace(convert_from(state, 'UTF8'),"
        " '\"values\":\\[.*12\\]', '\"values\":[]'), 'UTF8') WHERE notification_id = 12"
    )
    assert signed.wrong() == (12, "changed")
