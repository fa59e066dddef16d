"""The command line: it explains itself, starts fast, and fails in a sentence."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from adapters.security.tokens import Tokens
from domain.identifiers import user_id
from entrypoints.cli import app
from entrypoints.data_directory import DataDirectory
from tests.architecture.rules import ROOT

COMMANDS = (
    "up",
    "serve",
    "worker",
    "migrate",
    "rebuild",
    "events",
    "audit",
    "verify",
    "export-log",
    "proof-key",
    "export",
    "query",
    "analyse",
    "replay",
    "simulate",
    "forget",
    "token",
    "user",
    "asyncapi",
    "settings",
    "doctor",
    "version",
)
FLAGS_OF_UP = (
    "--data-dir",
    "--host",
    "--http-port",
    "--connector-port",
    "--metrics-port",
    "--discovery-port",
    "--producer-port",
    "--consumer-port",
    "--mqtt-port",
    "--nats-port",
    "--ports",
    "--ready-file",
)


def tidemark(*arguments: str, env: dict[str, str] | None = None, stdin: str | bytes | None = None) -> Result:
    """The command in this process, in an environment without settings."""
    cleared: dict[str, str | None] = {
        name: None for name in os.environ if name.startswith("TIDEMARK_") or name == "JWT_SECRET"
    }
    return CliRunner().invoke(app, arguments, input=stdin, env={**cleared, **(env or {}), "COLUMNS": "120"})


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str) -> None:
    assert command in tidemark("--help").output
    shown = tidemark(command, "--help")
    assert shown.exit_code == 0
    assert "Usage" in shown.output


def test_every_option_has_a_help_text() -> None:
    silent = [
        (name, parameter.name)
        for name, command in typer.main.get_command(app).commands.items()  # type: ignore[attr-defined]  # it is a group
        for parameter in command.params
        if parameter.param_type_name == "option" and not parameter.help
    ]
    assert silent == []


def test_up_has_the_flags_of_the_design() -> None:
    shown = tidemark("up", "--help").output
    assert [flag for flag in FLAGS_OF_UP if flag not in shown] == []
    assert set(re.findall(r"(?m)^ +(--[a-z-]+)", shown)) - {"--help"} == set(FLAGS_OF_UP)


def test_the_command_line_loads_nothing_heavy() -> None:
    script = "import sys, entrypoints.cli, entrypoints.up.supervisor; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    heavy = {"sqlalchemy", "litestar", "psycopg", "alembic", "uvicorn", "nats", "jwt", "structlog", "eventsourcing"}
    assert heavy & set(done.stdout.split()) == set()


def test_production_without_settings_lists_what_is_missing() -> None:
    for command in ("serve", "worker"):
        refused = tidemark(command)
        assert refused.exit_code == 2
        for name in ("DATABASE_URL", "NATS_URL", "MQTT_URL", "JWT_SECRET", "SEAL_KEY"):
            assert f"TIDEMARK_{name}" in refused.output


def test_a_token_is_made_offline_from_the_secret_in_the_data_directory(tmp_path: Path) -> None:
    secret = DataDirectory(tmp_path).keep_jwt_secret(None)
    made = tidemark("token", "--data-dir", str(tmp_path), "--subject", "Ada", "--scope", "a", "--scope", "b")
    claims = Tokens(secret).verify(made.output.strip())
    assert (claims.sub, claims.user_id, claims.scopes) == ("Ada", user_id("ada"), ("a", "b"))


def test_a_token_is_made_from_the_secret_in_the_environment() -> None:
    secret = "4f1c0de9a7b35e28d6c1f04b9a8273e5"
    made = tidemark("token", "--subject", "ada", "--ttl", "60", env={"TIDEMARK_JWT_SECRET": secret})
    assert Tokens(secret).verify(made.output.strip()).sub == "ada"


def test_a_token_without_a_secret_is_refused_with_advice(tmp_path: Path) -> None:
    refused = tidemark("token", "--data-dir", str(tmp_path), "--subject", "ada")
    assert refused.exit_code == 1
    assert "tidemark up" in refused.output


@pytest.mark.parametrize(
    "command", [("events",), ("rebuild", "all"), ("migrate",), ("user", "disable", "ada"), ("user", "add", "ada")]
)
def test_a_command_on_a_directory_where_nothing_runs_says_so(tmp_path: Path, command: tuple[str, ...]) -> None:
    refused = tidemark(*command, "--data-dir", str(tmp_path))
    assert refused.exit_code == 1
    assert "Nothing runs on" in refused.output


def test_the_committed_asyncapi_document_is_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert tidemark("asyncapi", "--check").exit_code == 0
    monkeypatch.chdir(tmp_path)
    assert tidemark("asyncapi", "--check").exit_code == 1
    assert tidemark("asyncapi", "--output", "written.yaml").exit_code == 0
    assert (tmp_path / "written.yaml").read_text() == (ROOT / "docs/asyncapi.yaml").read_text()


def test_a_secret_is_kept_and_for_its_owner_only(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path)
    secret = directory.keep_jwt_secret(None)
    assert len(secret) >= 32
    assert directory.keep_jwt_secret(None) == secret
    assert directory.keep_jwt_secret("given") == directory.jwt_secret() == "given"
    assert (tmp_path / "jwt-secret").stat().st_mode & 0o777 == 0o600


def test_a_run_that_was_killed_does_not_count_as_running(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path)
    directory.say_running({"api": "http://127.0.0.1:1"})
    assert directory.urls() == {"api": "http://127.0.0.1:1"}
    ended = subprocess.Popen(["true"])
    ended.wait()
    (tmp_path / "running.json").write_text(f'{{"pid": {ended.pid}, "urls": {{}}}}')
    assert directory.urls() is None
