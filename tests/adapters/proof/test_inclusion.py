"""An event is proved to whoever has the public key and one file, and nothing else of ours."""

import gzip
import json
import re
from pathlib import Path

import pytest

from adapters.proof.inclusion import InclusionProofs, LogChangedError, NotProvedError
from adapters.proof.offline import Wrong, check_inclusion
from adapters.proof.withholding import without_values
from tests.adapters.proof.signed_log import KEY, SignedLog, run_alone


async def test_every_signed_event_has_a_proof(signed: SignedLog) -> None:
    proofs = InclusionProofs(signed.url)
    for position in range(1, 26):
        proof = await proofs.inclusion_proof(position)
        document = json.loads(json.dumps(proof.document()))
        assert check_inclusion(document, [KEY.public_key]).number == (position + 9) // 10
        for spoiled in (
            {**document, "leaf": "00" * 32},
            {**document, "position": position - 1},
            {**document, "path": [*document["path"][::-1], "00" * 32]},
        ):
            with pytest.raises(Wrong, match="path"):
                check_inclusion(spoiled)
        with pytest.raises(Wrong, match="not trusted"):
            check_inclusion(document, [bytes(32)])


async def test_a_proof_is_checked_by_the_file_alone(signed: SignedLog) -> None:
    file = await proof_of(13, signed)
    status, said = run_alone("--proof", file, KEY.public_key.hex())
    assert (status, said) == (0, f"The event is in checkpoint 2, signed with the key {KEY.public_key.hex()}\n")
    assert "No public key was given" in run_alone("--proof", file)[1]


@pytest.mark.parametrize("position", [1, 12, 25])
async def test_the_event_that_somebody_holds_is_compared_with_the_proof(signed: SignedLog, position: int) -> None:
    status, said = run_alone(*await held(position, signed), KEY.public_key.hex())
    assert (status, said) == (
        0,
        f"The event of position {position} as it is in {signed.exported} is in checkpoint {(position + 9) // 10},"
        f" signed with the key {KEY.public_key.hex()}\n",
    )


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE events SET state = convert_to(replace(convert_from(state, 'UTF8'), 'road', 'rood'), 'UTF8')",
        "UPDATE events SET originator_version = 99",
        "UPDATE events SET topic = 'x'",
        "UPDATE events SET originator_id = gen_random_uuid()",
    ],
)
async def test_an_event_that_was_changed_is_not_the_one_of_the_proof(signed: SignedLog, change: str) -> None:
    asked = await held(13, signed)
    signed.execute(f"{change} WHERE notification_id = 13")
    signed.export(checkpoints=False)
    not_it = "WRONG: position 13: the event in the export is not the one that the proof is of\n"
    assert run_alone(*asked) == (1, not_it)


async def test_an_export_that_has_the_event_of_another_position_or_none_is_said_so(signed: SignedLog) -> None:
    asked = await held(13, signed)
    lines = gzip.decompress(signed.exported.read_bytes()).splitlines(keepends=True)
    (thirteenth,) = [line for line in lines if line.startswith(b"[13,")]
    other = lines[12].replace(b"[12,", b"[13,")

    def said(changed: list[bytes]) -> str:
        signed.exported.write_bytes(gzip.compress(b"".join(changed)))
        status, told = run_alone(*asked)
        assert status == 1
        return told

    not_it = "WRONG: position 13: the event in the export is not the one that the proof is of\n"
    assert said([other if line == thirteenth else line for line in lines]) == not_it
    assert said([*lines, other]) == not_it
    assert "there is no event at this position" in said([line for line in lines if line != thirteenth])
    assert "the proof belongs to the log" in said([re.sub(rb'"log": ?"[^"]*"', b'"log": "x"', lines[0]), *lines[1:]])
    assert "cannot be read" in said([b"{}"])


async def test_an_event_whose_values_were_taken_out_is_said_to_be_without_them(signed: SignedLog) -> None:
    asked = await held(12, signed)
    with signed.connection() as connection:
        (state,) = connection.execute("SELECT state FROM events WHERE notification_id = 12").fetchone() or (b"",)
        connection.execute("UPDATE events SET state = %s WHERE notification_id = 12", (without_values(state),))
    signed.export(checkpoints=False)
    status, said = run_alone(*asked)
    assert (status, ", but for its values, which were taken out, is in checkpoint 2" in said) == (0, True)


async def test_a_proof_that_does_not_hold_is_wrong_also_with_the_event(signed: SignedLog) -> None:
    asked = await held(13, signed)
    proof = json.loads(asked[1].read_text())
    asked[1].write_text(json.dumps({**proof, "path": proof["path"][1:]}))
    assert run_alone(*asked)[1].startswith("WRONG: position 13: the path does not lead")
    asked[1].write_text(json.dumps(proof))
    assert "not trusted" in run_alone(*asked, "00" * 32)[1]


@pytest.mark.parametrize("position", [0, -1, 26])
async def test_what_no_checkpoint_covers_has_no_proof(signed: SignedLog, position: int) -> None:
    signed.fill(1)
    with pytest.raises(NotProvedError, match=f"position {position} "):
        await InclusionProofs(signed.url).inclusion_proof(position)


async def test_no_proof_is_made_of_a_log_that_was_changed(signed: SignedLog) -> None:
    signed.execute("UPDATE events SET topic = 'x' WHERE notification_id = 14")
    with pytest.raises(LogChangedError, match="from position 11 to 20"):
        await InclusionProofs(signed.url).inclusion_proof(13)


async def proof_of(position: int, log: SignedLog) -> Path:
    proof = await InclusionProofs(log.url).inclusion_proof(position)
    file = log.directory / "proof.json"
    file.write_text(json.dumps(proof.document()))
    return file


async def held(position: int, log: SignedLog) -> tuple[str, Path, str, Path]:
    """How it is asked whether the event of the position is in the export of the log as it was signed."""
    return "--proof", await proof_of(position, log), "--export", log.exported
