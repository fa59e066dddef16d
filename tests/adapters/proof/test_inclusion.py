"""An event is proved to whoever has the public key and one file, and nothing else of ours."""

import json

import pytest

from adapters.proof.inclusion import InclusionProofs, LogChangedError, NotProvedError
from adapters.proof.offline import Wrong, check_inclusion
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
    proof = await InclusionProofs(signed.url).inclusion_proof(13)
    file = signed.directory / "proof.json"
    file.write_text(json.dumps(proof.document()))
    status, said = run_alone("--proof", file, KEY.public_key.hex())
    assert (status, "in checkpoint 2, signed with the key" in said) == (0, True)


@pytest.mark.parametrize("position", [0, -1, 26])
async def test_what_no_checkpoint_covers_has_no_proof(signed: SignedLog, position: int) -> None:
    signed.fill(1)
    with pytest.raises(NotProvedError, match=f"position {position} "):
        await InclusionProofs(signed.url).inclusion_proof(position)


async def test_no_proof_is_made_of_a_log_that_was_changed(signed: SignedLog) -> None:
    signed.execute("UPDATE events SET topic = 'x' WHERE notification_id = 14")
    with pytest.raises(LogChangedError, match="from position 11 to 20"):
        await InclusionProofs(signed.url).inclusion_proof(13)
