"""An event can be proved to be in the log, to somebody who has one file of ours and nothing else."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from adapters.proof import offline
from tests.conformance.audit.client import Auditor, Person
from tests.product import Product
from tests.waiting import eventually

pytestmark = pytest.mark.xdist_group("proof")

SIGNING = {"TIDEMARK_PROOF_SECONDS": "1"}


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    with Product(tmp_path_factory.mktemp("signed"), environment=SIGNING) as running:
        yield running


def test_a_proof_holds_where_nothing_but_the_file_is(signed: Product, tmp_path: Path) -> None:
    auditor, person = Auditor(signed), Person(signed)
    (event,) = auditor.events(id=str(person.id), event="identity.user.registered")

    def proved() -> httpx.Response | None:
        answer = auditor.get(f"/proof/{event['position']}")
        return answer if answer.status_code == 200 else None

    answer = eventually(proved, seconds=30)
    assert answer is not None
    assert json.loads(signed.run("audit", "proof", str(event["position"]))) == answer.json()
    proof = tmp_path / "proof.json"
    proof.write_text(answer.text, encoding="utf-8")
    checked = _offline(tmp_path, "--proof", str(proof))
    assert checked.returncode == 0, checked.stdout + checked.stderr
    told = json.loads(answer.text)
    told["leaf"] = told["leaf"][:-1] + ("0" if told["leaf"][-1] != "0" else "1")
    proof.write_text(json.dumps(told), encoding="utf-8")
    assert _offline(tmp_path, "--proof", str(proof)).returncode == 1


def test_what_cannot_be_proved_yet_is_said(signed: Product) -> None:
    auditor = Auditor(signed)
    assert auditor.get("/proof/0").status_code == 400
    assert "the log ends at" in auditor.get("/proof/99999999").json()["error"]


def _offline(directory: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """In a directory without us, and without the packages that are installed."""
    copy = directory / "offline.py"
    copy.write_bytes(Path(offline.__file__).read_bytes())
    return subprocess.run(
        [sys.executable, "-I", "-S", str(copy), *arguments], capture_output=True, text=True, check=False, cwd=directory
    )
