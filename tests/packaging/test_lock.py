"""The lock files are complete, hashed, current, and name no index."""

import re
import tomllib
from typing import Any, NamedTuple

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.architecture.rules import ROOT

LOCKS = ("requirements.lock", "requirements-dev.lock")


class Pin(NamedTuple):
    version: str
    hashes: frozenset[str]


def pins(lock: str) -> dict[str, Pin]:
    found: dict[str, Pin] = {}
    for entry in re.split(r"(?m)^(?=[A-Za-z0-9])", (ROOT / lock).read_text()):
        if entry.strip():
            requirement = Requirement(entry.split(" \\\n", 1)[0])
            (specifier,) = requirement.specifier
            assert specifier.operator == "=="
            name = canonicalize_name(requirement.name)
            assert name not in found
            found[name] = Pin(specifier.version, frozenset(re.findall(r"--hash=sha256:([0-9a-f]{64})", entry)))
    return found


def wanted() -> dict[str, list[str]]:
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
    runtime = project["project"]["dependencies"]
    return {
        "requirements.lock": runtime,
        "requirements-dev.lock": [*runtime, *project["dependency-groups"]["dev"], *project["build-system"]["requires"]],
    }


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_has_nothing_but_pins_and_hashes(lock: str) -> None:
    line = re.compile(r"[\w.-]+==\S+( ; [^\\]+)?( \\)?|    --hash=sha256:[0-9a-f]{64}( \\)?")
    text = (ROOT / lock).read_text()
    assert [row for row in text.splitlines() if not line.fullmatch(row)] == []
    assert "://" not in text


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_has_hashes(lock: str) -> None:
    assert [name for name, pin in pins(lock).items() if not pin.hashes] == []


def test_compiled_packages_have_the_hashes_of_many_platforms() -> None:
    runtime = pins("requirements.lock")
    for name in ("msgspec", "psycopg-binary", "uvloop", "cryptography"):
        assert len(runtime[name].hashes) > 8, f"{name} was locked from one machine's wheel"


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_satisfies_the_project(lock: str) -> None:
    """Says so without a resolver when a dependency was added and `make lock` forgotten."""
    locked = pins(lock)
    for text in wanted()[lock]:
        requirement = Requirement(text)
        pin = locked.get(canonicalize_name(requirement.name))
        assert pin is not None, f"{requirement.name} is not in {lock}; run `make lock`"
        assert requirement.specifier.contains(pin.version), f"{lock} has {pin.version}, not {text}; run `make lock`"


def test_we_test_with_what_we_ship() -> None:
    developed = pins("requirements-dev.lock")
    assert {name: pin for name, pin in pins("requirements.lock").items() if developed.get(name) != pin} == {}


def test_nothing_locked_takes_one_of_our_names() -> None:
    ours = {"domain", "application", "adapters", "projections", "entrypoints", "migrations", "tidemark"}
    assert ours.isdisjoint(pins("requirements-dev.lock"))
