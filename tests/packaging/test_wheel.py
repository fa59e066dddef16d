"""The wheel is built, installed with the locked dependencies into a fresh environment, and asked what it is."""

import json
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.architecture.rules import ROOT, SHIPPED

pytestmark = pytest.mark.timeout(900)

IGNORED = shutil.ignore_patterns("__pycache__", "*.egg-info")


def run(*command: str | Path, cwd: Path) -> str:
    result = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert result.returncode == 0, f"{command}\n{result.stdout}\n{result.stderr}"
    return result.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, so that no left-over of an earlier build gets in."""
    source = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, source)
    for folder in (*SHIPPED, "tests", "benchmarks", "examples", "docs", "deploy"):
        if (ROOT / folder).is_dir():
            shutil.copytree(ROOT / folder, source / folder, ignore=IGNORED)
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", source / "dist", cwd=source)
    (built,) = (source / "dist").glob("*.whl")
    return built


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` of an environment that has what a production image has, and nothing else."""
    folder = tmp_path_factory.mktemp("fresh")
    run(sys.executable, "-m", "venv", "--without-pip", folder, cwd=folder)
    pip = (sys.executable, "-m", "pip", "--python", folder / "bin/python", "install", "-qq", "--no-compile")
    run(*pip, "--require-hashes", "--only-binary", ":all:", "-r", ROOT / "requirements.lock", cwd=folder)
    run(*pip, "--no-deps", "--no-index", wheel, cwd=folder)
    return folder / "bin"


@pytest.fixture(scope="module")
def contents(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_the_wheel_has_our_packages_and_no_others(contents: set[str]) -> None:
    tops = {name.split("/", 1)[0] for name in contents}
    assert {top for top in tops if not top.endswith(".dist-info")} == set(SHIPPED)


def test_the_wheel_has_every_module(contents: set[str]) -> None:
    modules = {path.relative_to(ROOT).as_posix() for package in SHIPPED for path in (ROOT / package).rglob("*.py")}
    assert modules - contents == set()


def test_the_wheel_has_every_file_that_is_not_python(contents: set[str]) -> None:
    """Templates, pages and scripts are read at run time; a missing one shows only in production."""
    data = {
        path.relative_to(ROOT).as_posix()
        for package in SHIPPED
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.suffix not in {".py", ".pyc"}
    }
    assert data - contents == set()


def test_the_wheel_has_the_migrations(contents: set[str]) -> None:
    assert {"migrations/env.py", "migrations/script.py.mako"} <= contents
    assert [name for name in contents if name.startswith("migrations/versions/v")]


def test_each_of_our_names_has_one_owner(environment: Path) -> None:
    """A public distribution is called `entrypoints`, with a module of that name, which would shadow or be shadowed."""
    script = "import importlib.metadata as m, json; print(json.dumps(m.packages_distributions()))"
    owners = json.loads(run(environment / "python", "-c", script, cwd=environment))
    assert {name: owners.get(name) for name in SHIPPED} == {name: ["tidemark"] for name in SHIPPED}
    distributions = {owner for names in owners.values() for owner in names}
    assert "entrypoints" not in distributions


def test_our_packages_are_imported_from_the_wheel(environment: Path) -> None:
    script = f"import importlib; print([importlib.import_module(n).__file__ for n in {SHIPPED}])"
    files = run(environment / "python", "-c", script, cwd=environment)
    assert files.count("site-packages") == len(SHIPPED)


def test_what_is_installed_fits_together(environment: Path) -> None:
    run(sys.executable, "-m", "pip", "--python", environment / "python", "check", cwd=environment)


def test_the_command_runs(environment: Path) -> None:
    usage = run(environment / "tidemark", "--help", cwd=environment)
    assert "Usage" in usage
    assert "version" in usage
    assert run(environment / "tidemark", "version", cwd=environment).strip() == version("tidemark")
