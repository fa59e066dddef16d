from pathlib import Path

import pytest

from tests.adapters.proof.signed_log import SignedLog


@pytest.fixture
def log(database_url: str, tmp_path: Path) -> SignedLog:
    """Empty and unsigned."""
    return SignedLog(database_url, tmp_path)


@pytest.fixture
def signed(log: SignedLog) -> SignedLog:
    """25 events in three checkpoints, exported as they should be."""
    log.fill(25)
    assert [(one.first, one.last) for one in log.sign()] == [(1, 10), (11, 20), (21, 25)]
    log.export()
    return log
