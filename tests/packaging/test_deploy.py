"""The deployment files say what the documents promise; where the real server can be asked, it is."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.architecture.rules import ROOT, SHIPPED

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
OURS = ("migrate", "api", "worker")


def mosquitto_settings(text: str) -> dict[str, str]:
    lines = (line.split("#", 1)[0].strip() for line in text.splitlines())
    return {name: value for name, _, value in (line.partition(" ") for line in lines if line)}


def test_every_part_is_a_service() -> None:
    assert set(SERVICES) == {"postgres", "nats", "mosquitto", *OURS}


@pytest.mark.parametrize("name", ["postgres", "nats", "mosquitto"])
def test_every_server_has_a_healthcheck_and_keeps_its_data_in_a_volume(name: str) -> None:
    service = SERVICES[name]
    assert service["healthcheck"]["test"]
    assert any(volume.startswith(f"{name}:") for volume in service["volumes"])
    assert name in COMPOSE["volumes"]


def test_postgres_is_the_version_we_test_with_and_keeps_its_data_where_that_version_does() -> None:
    assert SERVICES["postgres"]["image"] == "postgres:18"
    assert SERVICES["postgres"]["volumes"] == ["postgres:/var/lib/postgresql"]


# What an operator may choose, and is safe as it is.
CHOICES = {
    "TIDEMARK_REGISTRATION",
    "TIDEMARK_PUBLIC_DEVICE_LIST",
    "TIDEMARK_CONNECTOR_AUTH",
    "TIDEMARK_CONNECTOR_ORIGINS",
    "TIDEMARK_METRICS_READ_AUTH",
    "TIDEMARK_PROOF_KEY",
}


@pytest.mark.parametrize("name", OURS)
def test_our_processes_have_every_setting_and_no_default_secret(name: str) -> None:
    settings = SERVICES[name]["environment"]
    assert ("TIDEMARK_PROOF_KEY" in settings) == (name == "worker"), "nobody else signs"
    assert set(settings) - {"TIDEMARK_PROOF_KEY"} == {
        "TIDEMARK_DATABASE_URL",
        "TIDEMARK_NATS_URL",
        "TIDEMARK_MQTT_URL",
        "TIDEMARK_JWT_SECRET",
        "TIDEMARK_SEAL_KEY",
        "TIDEMARK_HOST",
        *CHOICES - {"TIDEMARK_PROOF_KEY"},
    }
    assert settings["TIDEMARK_HOST"] == "0.0.0.0"
    for secret in ("TIDEMARK_JWT_SECRET", "TIDEMARK_SEAL_KEY"):
        assert settings[secret].startswith(f"${{{secret}:?")


def test_no_secret_has_a_default() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    found = re.findall(r"(?<!\$)\$\{(\w+)(\S?)(\S?)", text)
    variables = [variable for variable in found if variable[0] not in CHOICES]
    assert {name for name, *_ in variables} == {
        "TIDEMARK_JWT_SECRET",
        "TIDEMARK_SEAL_KEY",
        "POSTGRES_PASSWORD",
        "NATS_PASSWORD",
        "MQTT_PASSWORD",
    }
    assert all((colon, mark) == (":", "?") for _, colon, mark in variables)
    sample = dict(
        line.split("=", 1) for line in (ROOT / ".env.example").read_text().splitlines() if line and line[0] != "#"
    )
    assert sample == dict.fromkeys((name for name, *_ in variables), "")


def test_processes_start_when_the_schema_is_migrated_and_the_servers_answer() -> None:
    assert SERVICES["migrate"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    for name in ("api", "worker"):
        assert SERVICES[name]["depends_on"] == {
            "migrate": {"condition": "service_completed_successfully"},
            "postgres": {"condition": "service_healthy"},
            "nats": {"condition": "service_healthy"},
            "mosquitto": {"condition": "service_healthy"},
        }
    assert {name: SERVICES[name]["command"] for name in OURS} == {
        "migrate": ["migrate"],
        "api": ["serve"],
        "worker": ["worker"],
    }


def test_every_listener_is_published() -> None:
    assert [port.split(":")[-1] for port in SERVICES["api"]["ports"]] == [
        "8080",
        "9090",
        "3000",
        "9250",
        "9251",
        "9252",
    ]


def test_mosquitto_keeps_what_it_acknowledged_and_admits_nobody_unknown() -> None:
    settings = mosquitto_settings((ROOT / "deploy/mosquitto.conf").read_text())
    assert settings["persistence"] == "true"
    assert settings["autosave_interval"] == "1"
    assert settings["autosave_on_changes"] == "true"
    assert settings["listener"] == "1883"
    assert settings["allow_anonymous"] == "false"
    assert settings["password_file"] == "/mosquitto/data/passwords"
    assert "./deploy/mosquitto.conf:/mosquitto/config/mosquitto.conf:ro" in SERVICES["mosquitto"]["volumes"]


def test_nats_accepts_its_configuration(tmp_path: Path) -> None:
    text = (ROOT / "deploy/nats.conf").read_text()
    assert re.search(r"^\s*sync_interval: 1s$", text, re.MULTILINE)
    assert "./deploy/nats.conf:/etc/nats/nats.conf:ro" in SERVICES["nats"]["volumes"]
    nats_server = shutil.which("nats-server", path=str(Path(sys.executable).parent))
    assert nats_server, "the locked dependencies bring a nats-server"
    config = tmp_path / "nats.conf"
    config.write_text(text.replace("/data", str(tmp_path)))
    environment = os.environ | {"NATS_USER": "tidemark", "NATS_PASSWORD": "s3cret"}
    result = subprocess.run([nats_server, "-t", "-c", config], env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_image_is_hashed_small_and_not_root() -> None:
    stages = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    assert len(stages) == 2
    assert all(stage.endswith("-slim") for stage in stages)
    assert all(
        "--require-hashes" in line or "--no-index" in line for line in DOCKERFILE.splitlines() if "install" in line
    )
    final = DOCKERFILE[DOCKERFILE.rindex("\nFROM ") :]
    assert re.search(r"^USER 10001", final, re.MULTILINE)
    assert "http://127.0.0.1:8080/health/ready" in final
    assert "HEALTHCHECK" in final


def test_the_image_gets_every_package() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    for package in SHIPPED:
        assert f"COPY {package} {package}" in DOCKERFILE
        assert f"!{package}" in ignored


def test_the_image_takes_the_build_backend_from_the_lock() -> None:
    script = re.search(r"awk '(.+?)' requirements-dev\.lock", DOCKERFILE)
    assert script
    lock = ROOT / "requirements-dev.lock"
    block = subprocess.run(["awk", script[1], lock], capture_output=True, text=True, check=True).stdout
    assert re.fullmatch(r"setuptools==\S+ \\\n(    --hash=sha256:[0-9a-f]{64}( \\)?\n)+", block)
