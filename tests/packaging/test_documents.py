"""Documents point at things that exist, and every decision is listed."""

import re
from pathlib import Path

import pytest

from tests.architecture.rules import ROOT

DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
# Link, as it is written → why it may be missing. Empty is how it should stay.
PENDING = {
    "asyncapi.yaml": "is generated with the relay",
    "events.md": "is written with the relay",
}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda file: file.relative_to(ROOT).as_posix())
def test_every_link_within_the_repository_leads_somewhere(document: Path) -> None:
    links = [link for link in re.findall(r"\]\(([^)#\s]+)", document.read_text()) if "://" not in link]
    assert [link for link in links if link not in PENDING and not (document.parent / link).exists()] == []


def test_every_make_target_in_a_document_exists() -> None:
    targets = set(re.findall(r"(?m)^([a-z-]+):", (ROOT / "Makefile").read_text()))
    for document in DOCUMENTS:
        mentioned = re.findall(r"(?m)(?:^|`)make ([a-z-]+)", document.read_text())
        assert set(mentioned) <= targets, document


def test_every_decision_is_listed() -> None:
    index = (ROOT / "docs/adr/README.md").read_text()
    records = sorted(file.name for file in (ROOT / "docs/adr").glob("0*.md"))
    assert [name for name in records if f"({name})" not in index] == []
    assert [int(name[:4]) for name in records] == list(range(1, len(records) + 1))
