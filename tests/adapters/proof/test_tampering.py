"""Whatever is done to signed events is found, live and in an export, and the first wrong position is named."""

import base64
import gzip
import json

import pytest

from adapters.proof.signing import SigningKey
from tests.adapters.proof.signed_log import KEY, SignedLog

UNLOCKED = "DROP INDEX events_notification_id_idx"
APART = "ALTER TABLE events DROP CONSTRAINT events_pkey"

# What is done, the first wrong position, and the word for it.
TAMPERED = [
    pytest.param(["UPDATE events SET state = set_byte(state, 30, get_byte(state, 30) # 1) WHERE notification_id = 7"],
                 7, "changed", id="a bit of a state flipped"),
    pytest.param(["UPDATE events SET topic = topic || '2' WHERE notification_id = 10"], 10, "changed", id="a topic"),
    pytest.param(["UPDATE events SET originator_id = gen_random_uuid() WHERE notification_id = 11"],
                 11, "changed", id="whose it is"),
    pytest.param(["UPDATE events SET originator_version = 9 WHERE notification_id = 25"], 25, "changed", id="version"),
    pytest.param(["UPDATE events SET notification_id = -notification_id WHERE notification_id IN (4, 8)",
                  "UPDATE events SET notification_id = notification_id + 12 WHERE notification_id < 0"],
                 4, "swapped", id="two exchanged"),
    pytest.param(["UPDATE events SET notification_id = -notification_id WHERE notification_id IN (14, 15)",
                  "UPDATE events SET notification_id = notification_id + 29 WHERE notification_id < 0"],
                 14, "swapped", id="neighbours exchanged"),
    pytest.param(["DELETE FROM events WHERE notification_id = 13"], 13, "deleted", id="one deleted"),
    pytest.param(["DELETE FROM events WHERE notification_id = 20"], 20, "deleted", id="the last of a checkpoint"),
    pytest.param([UNLOCKED, "DELETE FROM events WHERE notification_id = 3",
                  "UPDATE events SET notification_id = notification_id - 1 WHERE notification_id > 3"],
                 3, "deleted", id="one deleted, the others moved up"),
    pytest.param([UNLOCKED, "UPDATE events SET notification_id = notification_id + 1 WHERE notification_id >= 5",
                  "INSERT INTO events SELECT gen_random_uuid(), 1, topic, state, 5 FROM events"
                  " WHERE notification_id = 1"],
                 5, "inserted", id="one inserted, the others moved down"),
    pytest.param([UNLOCKED, "INSERT INTO events SELECT gen_random_uuid(), 1, topic, state, 5 FROM events"
                  " WHERE notification_id = 1"], 5, "inserted", id="one inserted beside another"),
    pytest.param([UNLOCKED, APART, "UPDATE events SET notification_id = notification_id + 1 WHERE notification_id >= 5",
                  "INSERT INTO events SELECT originator_id, originator_version, topic, state, 5 FROM events"
                  " WHERE notification_id = 2"], 5, "inserted", id="one repeated"),
    pytest.param(["DELETE FROM events WHERE notification_id > 22"], 23, "truncated", id="the end cut off"),
    pytest.param(["DELETE FROM events WHERE notification_id > 8"], 9, "truncated", id="most cut off"),
    pytest.param(["DELETE FROM events"], 1, "truncated", id="everything gone"),
]  # fmt: skip


@pytest.mark.parametrize(("statements", "position", "word"), TAMPERED)
def test_what_was_done_to_the_log_is_found(signed: SignedLog, statements: list[str], position: int, word: str) -> None:
    signed.execute(*statements)
    assert signed.wrong() == (position, word)
    signed.export(checkpoints=False)
    status, said = signed.offline()
    assert (status, said.startswith(f"WRONG: position {position}: {word}")) == (1, True), said


def test_a_log_that_nobody_touched_is_proved(signed: SignedLog) -> None:
    signed.fill(3)
    assert signed.verify()[1:4] == (3, 25, 3)
    signed.export(checkpoints=False)
    status, said = signed.offline(KEY.public_key.hex())
    assert status == 0, said
    assert "up to position 25; 3 events come behind that" in said


def test_an_empty_log_is_proved(log: SignedLog) -> None:
    assert log.sign() == []
    assert log.verify()[1:4] == (0, 0, 0)


def test_parts_are_checked_by_several_processes_and_the_first_wrong_one_is_named(
    signed: SignedLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.proof.verifying.PART", 10)
    told: list[tuple[int, int]] = []
    assert signed.verify(told=lambda *at: told.append(at)).proved == 25
    assert told == [(10, 25), (20, 25), (25, 25)]
    signed.execute("UPDATE events SET topic = 'x' WHERE notification_id IN (9, 15, 24)")
    assert signed.wrong() == (9, "changed")


@pytest.mark.parametrize(
    ("statement", "position", "what"),
    [
        ("UPDATE proof_checkpoints SET statement = replace(statement, ':20,', ':19,') WHERE number = 2", 11,
         "the signature of checkpoint 2 is not that of what it says"),
        ("UPDATE proof_checkpoints SET signature = set_byte(signature, 5, get_byte(signature, 5) # 4) WHERE number = 3",
         21, "the signature of checkpoint 3 is not that of what it says"),
        ("DELETE FROM proof_checkpoints WHERE number = 2", 11,
         "checkpoint 3 does not follow checkpoint 1"),
        ("UPDATE log_identity SET id = gen_random_uuid()", 1, "checkpoint 1 belongs to the log"),
    ],
)  # fmt: skip
def test_what_was_done_to_the_checkpoints_is_found(signed: SignedLog, statement: str, position: int, what: str) -> None:
    signed.execute(statement)
    found, said = signed.wrong()
    assert (found, said[: len(what)]) == (position, what)


def test_marks_that_were_changed_accuse_nobody(signed: SignedLog) -> None:
    signed.execute(
        "UPDATE proof_checkpoints SET marks = set_byte(marks, 0, 1) WHERE number = 2",
        "UPDATE events SET topic = 'x' WHERE notification_id = 15",
    )
    position, said = signed.wrong()
    assert position == 11
    assert said.startswith("or behind it")


def test_events_and_checkpoints_cut_off_together_are_missed_in_the_file(signed: SignedLog) -> None:
    signed.execute("DELETE FROM events WHERE notification_id > 10", "DELETE FROM proof_checkpoints WHERE number > 1")
    assert signed.verify().proved == 10, "nothing in the database tells"
    assert signed.wrong(file=signed.checkpoints)[0] == 11


def test_one_checkpoint_that_was_kept_is_enough_to_miss_what_was_cut_off(signed: SignedLog) -> None:
    signed.checkpoints.write_bytes(signed.checkpoints.read_bytes().splitlines(keepends=True)[2])
    assert signed.verify(file=signed.checkpoints).proved == 25
    signed.execute("DELETE FROM events WHERE notification_id > 10", "DELETE FROM proof_checkpoints WHERE number > 1")
    assert signed.wrong(file=signed.checkpoints)[0] == 11
    signed.execute("DELETE FROM proof_checkpoints")
    assert signed.wrong(file=signed.checkpoints)[0] == 1


def test_a_file_of_another_past_is_noticed(signed: SignedLog) -> None:
    """Events and checkpoints were cut off, and others written and signed since, with the right key."""
    signed.execute("DELETE FROM events WHERE notification_id > 12", "DELETE FROM proof_checkpoints WHERE number > 1")
    signed.fill(20)
    signed.execute("UPDATE events SET topic = 'x' WHERE notification_id = 14")
    signed.sign()
    assert signed.verify().proved == 32
    position, said = signed.wrong(file=signed.checkpoints)
    assert (position, said) == (11, "checkpoint 2 of the file is not in the table, which has another")


def test_a_file_that_is_being_written_counts_as_far_as_it_is_whole(signed: SignedLog) -> None:
    signed.checkpoints.write_bytes(signed.checkpoints.read_bytes()[:-20])
    assert signed.verify(file=signed.checkpoints).proved == 25


def test_who_signs_everything_anew_is_not_believed(signed: SignedLog) -> None:
    signed.execute("UPDATE events SET topic = 'x' WHERE notification_id = 4", "DELETE FROM proof_checkpoints")
    ledger = signed.ledger()
    ledger._key = SigningKey(base64.b64encode(bytes(32)).decode())
    while ledger.extend():
        pass
    position, said = signed.wrong()
    assert position == 1
    assert "which is not trusted" in said


def test_lines_of_an_export_that_changed_places_are_found(signed: SignedLog) -> None:
    lines = gzip.decompress(signed.exported.read_bytes()).splitlines(keepends=True)
    lines[12], lines[15] = lines[15], lines[12]
    signed.exported.write_bytes(gzip.compress(b"".join(lines)))
    assert signed.offline()[1].startswith("WRONG: position 12: swapped")


def test_an_event_behind_the_last_checkpoint_must_be_the_next_one(signed: SignedLog) -> None:
    signed.fill(2)
    signed.execute("DELETE FROM events WHERE notification_id = 26")
    assert signed.wrong()[0] == 26
    signed.export(checkpoints=False)
    assert signed.offline()[1].startswith("WRONG: position 26")


def test_a_file_that_cannot_be_read_is_no_proof(signed: SignedLog) -> None:
    signed.checkpoints.write_text(json.dumps({"statement": "{}"}))
    status, said = signed.offline()
    assert (status, said[:21]) == (1, "WRONG: cannot be read")
