"""`make` explains itself, and says in a sentence what a machine lacks."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.architecture.rules import ROOT

MAKEFILE = (ROOT / "Makefile").read_text()


def make(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("MAKE") and name != "MFLAGS"
    }
    return subprocess.run(["make", *arguments], cwd=cwd, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A working copy that was never set up."""
    for name in ("Makefile", "pyproject.toml", "requirements-dev.lock"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def interpreter(folder: Path, version: str, *, has_venv: bool) -> Path:
    """A stand-in for another Python: answers the three questions that the Makefile asks."""
    major, minor, _ = version.split(".")
    old = int((int(major), int(minor)) < (3, 11))
    file = folder / "python-stand-in"
    file.write_text(
        "#!/bin/sh\n"
        f'case "$2" in *print*) echo {version};; *exit*) exit {old};; *ensurepip*) exit {int(not has_venv)};; esac\n'
    )
    file.chmod(0o755)
    return file


def test_make_alone_lists_every_target_with_a_sentence() -> None:
    result = make(cwd=ROOT)
    assert result.returncode == 0
    listed = dict(re.findall(r"^  ([a-z-]+) +(\S.*)$", result.stdout, re.MULTILINE))
    for target in ("setup", "up", "test", "lint", "types", "imports", "format", "bench", "lock", "docs", "clean"):
        assert listed[target]
    assert "\x1b" not in result.stdout


def test_every_documented_target_is_phony() -> None:
    phony = set(" ".join(re.findall(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)).split())
    assert set(re.findall(r"^([a-z-]+):[^#\n]*## ", MAKEFILE, re.MULTILINE)) <= phony


def test_the_gate_runs_every_folder_of_tests() -> None:
    folders = {f"tests/{file.parent.name}" for file in (ROOT / "tests").glob("*/__init__.py")}
    planned = make(
        "-n", *(f"test-{part}" for part in ("unit", "integration", "conformance", "crash", "packaging")), cwd=ROOT
    )
    assert folders <= set(planned.stdout.split())


def test_an_old_python_is_refused_by_name(clone: Path) -> None:
    old = interpreter(clone, "3.9.2", has_venv=True)
    result = make("setup", f"PYTHON={old}", cwd=clone)
    assert result.returncode != 0
    assert f"{old} is Python 3.9.2, which is too old." in result.stderr
    assert "make setup PYTHON=" in result.stderr


def test_a_python_without_venv_says_what_to_install(clone: Path) -> None:
    bare = interpreter(clone, "3.12.1", has_venv=False)
    result = make("setup", f"PYTHON={bare}", cwd=clone)
    assert result.returncode != 0
    assert "apt install python3-venv" in result.stderr


def test_a_python_that_is_not_there_is_said_so(clone: Path) -> None:
    result = make("setup", "PYTHON=/nowhere/python3", cwd=clone)
    assert result.returncode != 0
    assert "/nowhere/python3 was not found or does not run." in result.stderr


def test_a_set_up_that_is_up_to_date_does_nothing() -> None:
    """Also offline: nothing is run at all."""
    assert make("setup", cwd=ROOT).returncode == 0
    assert make("--question", "setup", cwd=ROOT).returncode == 0
