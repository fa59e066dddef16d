"""The command line looks for its data directory where it is called: no test of it finds one that lies about."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _a_directory_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
