import pytest

from adapters.security.seals import Seals
from application.connectors.records import SealBrokenError

SECRETS = {"client_secret": "hunter2", "headers": {"a": ["ä", 1, None, True]}}


def test_what_was_sealed_is_opened_again_and_reads_otherwise_each_time() -> None:
    seals = Seals("a key")
    sealed = seals.seal(SECRETS)
    assert "hunter2" not in sealed
    assert seals.seal(SECRETS) != sealed
    assert Seals("a key").open(sealed) == SECRETS


def test_no_secrets_are_an_empty_text() -> None:
    assert Seals("a key").seal({}) == ""
    assert Seals("a key").open("") == {}


@pytest.mark.parametrize("broken", ["1:", "1:xx", "1:AAAA", "nonsense", "1:ä"])
def test_what_is_broken_or_of_another_key_is_not_opened(broken: str) -> None:
    with pytest.raises(SealBrokenError):
        Seals("a key").open(broken)
    sealed = Seals("a key").seal(SECRETS)
    with pytest.raises(SealBrokenError):
        Seals("another key").open(sealed)
    with pytest.raises(SealBrokenError):
        Seals("a key").open(sealed[:-6] + "AAAA==")
