"""`tidemark audit state` and `proof`: what they print and how they end."""

import json
from pathlib import Path
from uuid import uuid4

import pytest

from adapters.proof import offline
from domain.devices.device import DeviceRemoved
from tests.adapters.proof.signed_log import KEY, SignedLog
from tests.entrypoints.test_cli import tidemark
from tests.projections.history import DEVICE_ID, START, append, discovered, measured, sensor_added


@pytest.fixture
def env(database_url: str) -> dict[str, str]:
    return {"TIDEMARK_DATABASE_URL": database_url, "TIDEMARK_MODE": "up"}


def test_what_something_was_at_a_moment_is_told_as_json(env: dict[str, str], database_url: str) -> None:
    append(database_url, sensor_added(), discovered("Greenhouse"), sensor_added(), (DEVICE_ID, DeviceRemoved()))
    state = ("audit", "state", "devices", str(DEVICE_ID))
    told = json.loads(tidemark(*state, "--as-of", "3", env=env).output)
    assert {name: told[name] for name in ("aggregate", "as_of", "version", "position")} == {
        "aggregate": "devices.device",
        "as_of": 3,
        "version": 1,
        "position": 2,
    }
    assert told["state"]["name"] == "Greenhouse"
    at = START.replace(second=1).isoformat()
    assert json.loads(tidemark(*state, "--as-of", at, env=env).output)["as_of"] == 2
    now = json.loads(tidemark(*state, env=env).output)
    assert (now["as_of"], now["version"], now["state"]) == (4, 2, None)


@pytest.mark.parametrize(
    ("moment", "status", "said"),
    [
        ("1", 1, f"Nothing had happened to {DEVICE_ID} by position 1 yet; it began at 2."),
        ("0", 1, "Nothing had happened yet; the log begins at position 1."),
        ("9", 1, "Position 9 is in the future; the log ends at 2."),
        ("2100-01-01T00:00:00Z", 1, "2100-01-01T00:00:00Z is in the future; it is "),
        ("2000-01-01T00:00:00Z", 1, "Nothing had happened by 2000-01-01T00:00:00Z yet; the log begins at "),
        ("yesterday", 2, "'yesterday' is neither a position nor a time such as 2026-11-24T08:00:00Z."),
    ],
)
def test_a_moment_without_a_state_is_said_why(
    env: dict[str, str], database_url: str, moment: str, status: int, said: str
) -> None:
    append(database_url, sensor_added(), discovered())
    result = tidemark("audit", "state", "devices", str(DEVICE_ID), "--as-of", moment, env=env)
    assert (result.exit_code, said in result.output) == (status, True), result.output


def test_what_has_no_state_is_said_why(env: dict[str, str], database_url: str) -> None:
    readings = measured((1.5, None))
    append(database_url, readings)
    result = tidemark("audit", "state", "devices", str(readings[0]), env=env)
    assert (result.exit_code, "each event of devices.readings stands for itself." in result.output) == (1, True)
    nobody = uuid4()
    result = tidemark("audit", "state", "devices", str(nobody), env=env)
    assert (result.exit_code, result.output) == (1, f"Nothing happened to {nobody} in devices.\n")


def test_a_proof_is_told_as_json_and_holds(env: dict[str, str], database_url: str, tmp_path: Path) -> None:
    log = SignedLog(database_url, tmp_path)
    log.fill(5)
    result = tidemark("audit", "proof", "3", env=env)
    assert (result.exit_code, result.output.startswith("No checkpoint covers position 3 yet")) == (1, True)
    log.sign()
    result = tidemark("audit", "proof", "3", env=env)
    assert result.exit_code == 0, result.output
    told = json.loads(result.output)
    assert told["position"] == 3
    offline.check_inclusion(told, [KEY.public_key])
    result = tidemark("audit", "proof", "6", env=env)
    assert (result.exit_code, result.output) == (1, "There is no event at 6; the log ends at 5.\n")
    log.execute("UPDATE events SET topic = 'x' WHERE notification_id = 4")
    result = tidemark("audit", "proof", "3", env=env)
    assert (result.exit_code, "run `tidemark verify`" in result.output) == (1, True)


def test_a_database_that_is_away_is_said(env: dict[str, str]) -> None:
    gone = {**env, "TIDEMARK_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}
    for command in (("state", "devices", str(DEVICE_ID)), ("proof", "1")):
        result = tidemark("audit", *command, env=gone)
        assert (result.exit_code, result.output) == (1, "The database does not answer.\n")
