"""The code keeps the rules of the house, and each rule notices when it is broken."""

from collections.abc import Callable, Iterator
from pathlib import PurePosixPath

import pytest

from tests.architecture import rules
from tests.architecture.rules import LAYERS, LONGER, RULES, SHIPPED, Module, modules

Rule = Callable[[Module], Iterator[str]]

LONG = "x = 1\n" * 401
BROKEN: list[tuple[Rule, str, str]] = [
    (rules.vague_name, "adapters/utils.py", ""),
    (rules.vague_name, "adapters/common/mqtt.py", ""),
    (rules.vague_name, "adapters/_base.py", ""),
    (rules.too_long, "adapters/mqtt.py", LONG),
    (rules.relative_import, "adapters/mqtt.py", "from . import topics"),
    (rules.relative_import, "adapters/mqtt.py", "def f():\n    from ..topics import T"),
    (rules.bare_exemption, "adapters/mqtt.py", "x = y  # type: ignore"),
    (rules.bare_exemption, "adapters/mqtt.py", "x = y  # type: ignore[arg-type]"),
    (rules.bare_exemption, "adapters/mqtt.py", "x = y  # noqa"),
    (rules.bare_exemption, "adapters/mqtt.py", "x = y  # noqa: BLE001"),
    (rules.prints, "adapters/mqtt.py", "def f():\n    print('here')"),
    (rules.silent_package, "adapters/mqtt/__init__.py", "x = 1"),
    (rules.foreign_import, "domain/devices/device.py", "import attrs"),
    (rules.foreign_import, "application/executor.py", "from structlog.stdlib import get_logger"),
    (rules.crossed_context, "domain/devices/device.py", "from domain.identity.user import User"),
    (rules.crossed_context, "application/devices.py", "from domain import identity"),
    (rules.crossed_context, "application/devices.py", "import application.streams"),
    (rules.impurity, "domain/devices/device.py", "import random"),
    (rules.impurity, "domain/devices/device.py", "from datetime import datetime\nx = datetime.now()"),
    (rules.impurity, "domain/devices/device.py", "from uuid import uuid4\nx = uuid4()"),
]
KEPT: list[tuple[Rule, str, str]] = [
    (rules.vague_name, "adapters/database.py", ""),
    (rules.bare_exemption, "adapters/mqtt.py", "x = y  # type: ignore[arg-type]  # the stub is wrong"),
    (rules.bare_exemption, "adapters/mqtt.py", "x = y  # noqa: BLE001 - the supervisor must not end"),
    (rules.bare_exemption, "adapters/mqtt.py", "x = '# type: ignore'"),
    (rules.prints, "entrypoints/cli/commands.py", "print('here')"),
    (rules.prints, "entrypoints/cli/events.py", "print('here')"),
    (rules.foreign_import, "domain/event.py", "import msgspec, datetime"),
    (rules.foreign_import, "adapters/mqtt.py", "import aiomqtt"),
    (rules.crossed_context, "application/devices.py", "from domain.devices import sensor"),
    (rules.crossed_context, "application/policies/claims.py", "from domain.identity import user"),
    (rules.crossed_context, "domain/catalogue.py", "from domain.identity import user"),
    (rules.impurity, "adapters/mqtt.py", "import random"),
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_code_keeps_the_rule(rule: Rule) -> None:
    assert [violation for module in modules(*SHIPPED) for violation in rule(module)] == []


@pytest.mark.parametrize(("rule", "path", "source"), BROKEN)
def test_a_broken_rule_is_noticed(rule: Rule, path: str, source: str) -> None:
    assert list(rule(Module(PurePosixPath(path), source)))


@pytest.mark.parametrize(("rule", "path", "source"), KEPT)
def test_a_kept_rule_is_left_in_peace(rule: Rule, path: str, source: str) -> None:
    assert not list(rule(Module(PurePosixPath(path), source)))


def test_every_rule_has_a_sample_that_breaks_it() -> None:
    assert {rule for rule, _, _ in BROKEN} == set(RULES)


def test_every_layer_is_a_package_that_introduces_itself() -> None:
    introduced = {module.layer for module in modules(*SHIPPED) if module.path.name == "__init__.py"}
    assert introduced == set(SHIPPED)
    assert set(LAYERS) < set(SHIPPED)


def test_every_folder_with_code_is_a_package() -> None:
    folders = {(rules.ROOT / module.path).parent for module in modules(*SHIPPED, "tests")}
    assert [str(folder) for folder in folders if not (folder / "__init__.py").is_file()] == []


@pytest.mark.parametrize("folder", ["benchmarks", "examples"])
def test_programs_beside_the_code_stay_readable(folder: str) -> None:
    broken = [
        violation
        for module in modules(folder)
        for rule in (rules.too_long, rules.vague_name)
        for violation in rule(module)
    ]
    assert broken == []


def test_an_allowance_for_length_is_still_needed() -> None:
    lines = {str(module.path): module.source.count("\n") for module in modules(*SHIPPED)}
    assert [path for path in LONGER if lines.get(path, 0) <= rules.LONGEST] == []
