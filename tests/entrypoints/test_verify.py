"""`tidemark verify`, `export-log` and `proof-key`: what they print and how they end."""

import stat
from pathlib import Path

import pytest

from adapters.proof.signing import SigningKey
from entrypoints.data_directory import DataDirectory
from tests.adapters.proof.signed_log import KEY, SEED, SignedLog
from tests.entrypoints.test_cli import tidemark


@pytest.fixture
def signed(database_url: str, tmp_path: Path) -> SignedLog:
    log = SignedLog(database_url, tmp_path)
    log.fill(25)
    log.sign()
    return log


@pytest.fixture
def env(signed: SignedLog) -> dict[str, str]:
    return {
        "TIDEMARK_DATABASE_URL": signed.url,
        "TIDEMARK_MODE": "up",
        "TIDEMARK_PROOF_KEY": SEED,
        "TIDEMARK_PROOF_DIR": str(signed.directory),
    }


def test_a_log_as_it_was_signed_is_all_right(signed: SignedLog, env: dict[str, str]) -> None:
    result = tidemark("verify", env=env)
    assert result.exit_code == 0, result.output
    assert "up to position 25 (3 checkpoints, " in result.output
    signed.export()
    assert "3 checkpoints and their file" in tidemark("verify", env=env).output


def test_the_first_wrong_position_is_named(signed: SignedLog, env: dict[str, str]) -> None:
    signed.execute("UPDATE events SET topic = 'x' WHERE notification_id IN (14, 20)")
    result = tidemark("verify", env=env)
    assert (result.exit_code, result.output) == (
        1,
        "WRONG: position 14: changed: the event is not the one that was signed\n",
    )


def test_an_export_is_checked_without_a_server(signed: SignedLog, env: dict[str, str], tmp_path: Path) -> None:
    export, checkpoints = tmp_path / "log.jsonl", tmp_path / "copy.jsonl"
    written = tidemark("export-log", str(export), "--checkpoints", str(checkpoints), env=env)
    assert written.output == f"25 events are in {export}.\n"
    assert stat.S_IMODE(export.stat().st_mode) == 0o600
    offline = ("verify", "--offline", str(export), "--checkpoint", str(checkpoints))
    result = tidemark(*offline, "--key", KEY.public_key.hex())
    assert (result.exit_code, "up to position 25; 0 events" in result.output) == (0, True), result.output
    assert "was believed" in tidemark(*offline, "--data-dir", str(tmp_path)).output
    export.write_text(export.read_text().replace("[7,", "[8,"))
    result = tidemark(*offline)
    assert (result.exit_code, result.output[:18]) == (1, "WRONG: position 7:"), result.output


def test_the_key_of_the_data_directory_is_the_one_that_is_trusted(signed: SignedLog, tmp_path: Path) -> None:
    signed.export()
    offline = ("verify", "--offline", str(signed.exported), "--checkpoint", str(signed.checkpoints))
    assert "was believed" in tidemark(*offline).output
    (tmp_path / "data").mkdir()
    other = SigningKey(DataDirectory(tmp_path / "data").keep_proof_key(None)).public_key.hex()
    result = tidemark(*offline)
    assert (result.exit_code, f"the key {KEY.public_key.hex()}, which is not trusted" in result.output) == (1, True)
    assert f"Trusted is this installation's key, {other}" in result.output


def test_a_foreign_key_is_not_believed(signed: SignedLog, env: dict[str, str]) -> None:
    result = tidemark("verify", "--key", "00" * 32, env=env)
    assert (result.exit_code, "which is not trusted" in result.output) == (1, True)
    assert tidemark("verify", "--key", "00", env=env).exit_code == 2


def test_what_cannot_be_told_is_neither_right_nor_wrong(env: dict[str, str], tmp_path: Path) -> None:
    gone = {**env, "TIDEMARK_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}
    assert tidemark("verify", env=gone).exit_code == 2
    assert tidemark("verify", "--offline", str(tmp_path / "none")).exit_code == 2
    nothing = str(tmp_path / "none")
    assert tidemark("verify", "--offline", nothing, "--checkpoint", nothing).exit_code == 2


def test_the_public_key_is_told_and_the_private_one_never(env: dict[str, str], tmp_path: Path) -> None:
    assert tidemark("proof-key", env=env).output == KEY.public_key.hex() + "\n"
    directory = DataDirectory(tmp_path)
    assert tidemark("proof-key", "--data-dir", str(tmp_path)).exit_code == 1
    assert directory.keep_proof_key(SEED) == directory.keep_proof_key(None) == SEED
    assert stat.S_IMODE((tmp_path / "proof-key").stat().st_mode) == 0o600
    assert tidemark("proof-key", "--data-dir", str(tmp_path)).output == KEY.public_key.hex() + "\n"
    result = tidemark("verify", env={**env, "TIDEMARK_PROOF_KEY": SEED[:-4]})
    assert (result.exit_code, SEED[:-4] in result.output) == (2, False)
