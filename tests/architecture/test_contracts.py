"""The contracts of import-linter hold here, and a copy of the code with one wrong import breaks them."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.rules import ROOT, SHIPPED

LINT_IMPORTS = Path(sys.executable).with_name("lint-imports")


# The module that is added, its one wrong import, and the contract that this breaks.
WRONG = [
    ("domain.spoiled_a", "application.executor", "Layers"),
    ("application.spoiled_b", "adapters", "Layers"),
    ("adapters.spoiled_c", "projections", "Layers"),
    ("projections.spoiled_d", "adapters", "Layers"),
    ("projections.spoiled_e", "entrypoints.cli", "Layers"),
    ("domain.devices.spoiled_f", "domain.identity.user", "Contexts"),
    ("domain.devices.spoiled_g", "domain.catalogue", "Contexts"),
    ("domain.spoiled_h", "sqlalchemy", "Domain"),
    ("application.spoiled_i", "structlog", "Application"),
    ("migrations.spoiled_j", "domain.event", "Migrations"),
    ("entrypoints.lambda_iot.spoiled_k", "entrypoints.streams", "Wire"),
]


@pytest.fixture(scope="module")
def spoiled(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What import-linter says of a copy of the code with every wrong import added."""
    folder = tmp_path_factory.mktemp("spoiled")
    shutil.copy(ROOT / "pyproject.toml", folder)
    for package in SHIPPED:
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    for package in ("entrypoints/lambda_iot", "entrypoints/streams"):
        (folder / package).mkdir(exist_ok=True)
        (folder / package / "__init__.py").touch()
    for module, imported, _ in WRONG:
        (folder / module.replace(".", "/")).with_suffix(".py").write_text(f"import {imported}\n")
    result = lint_imports(folder)
    assert result.returncode == 1, result.stdout + result.stderr
    return result.stdout


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [LINT_IMPORTS, "--no-cache", "--no-logo"], cwd=folder, capture_output=True, text=True, check=False
    )


def test_the_contracts_hold() -> None:
    result = lint_imports(ROOT)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "0 broken" in result.stdout


@pytest.mark.parametrize(("module", "imported", "contract"), WRONG)
def test_a_wrong_import_breaks_its_contract(spoiled: str, module: str, imported: str, contract: str) -> None:
    summary, _, details = spoiled.partition("Broken contracts")
    assert any(row.startswith(contract) and row.endswith("BROKEN") for row in summary.splitlines())
    assert f"{module} -> {imported} (l.1)" in details
