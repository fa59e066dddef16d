"""Settings are validated at once, and no value of a secret is ever repeated."""

from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest

from entrypoints.settings import Problem, SettingsError, read_settings, settings_page
from tests.architecture.rules import ROOT

SECRET = "4f1c0de9a7b35e28d6c1f04b9a8273e5"
GOOD = {
    "TIDEMARK_DATABASE_URL": "postgresql://tidemark:gXw81kQ@db:5432/tidemark",
    "TIDEMARK_NATS_URL": "nats://tidemark:gXw81kQ@nats:4222",
    "TIDEMARK_MQTT_URL": "mqtt://tidemark:gXw81kQ@broker:1883",
    "TIDEMARK_JWT_SECRET": SECRET,
    "TIDEMARK_SEAL_KEY": SECRET,
}


def problems(environment: dict[str, str]) -> dict[str, Problem]:
    with pytest.raises(SettingsError) as raised:
        read_settings(environment)
    assert all(problem.variable in str(raised.value) for problem in raised.value.problems)
    return {problem.variable: problem for problem in raised.value.problems}


def test_what_is_required_is_enough() -> None:
    settings = read_settings(GOOD)
    assert settings.mode == "serve"
    assert (settings.http_port, settings.connector_port, settings.metrics_port) == (8080, 9090, 3000)
    assert settings.host == "127.0.0.1"
    assert settings.mqtt_topic == "lambdaiot"
    assert settings.freshness_timeout == 2.0
    assert settings.nats_max_age is None
    assert (settings.registration, settings.public_device_list) == ("first", True)
    assert settings.login_failures_per_minute == 20


def test_nothing_at_all_names_everything_that_is_required() -> None:
    assert set(problems({})) == set(GOOD)


def test_all_problems_are_told_at_once() -> None:
    found = problems(
        {
            "TIDEMARK_DATABASE_URL": "mysql://root@db/x",
            "TIDEMARK_NATS_URL": "nats://",
            "TIDEMARK_JWT_SECRET": "short",
            "TIDEMARK_HTTP_PORT": "80x",
            "TIDEMARK_REGISTRATION": "sometimes",
            "TIDEMARK_FRESHNESS_TIMEOUT": "soon",
            "TIDEMARK_PUBLIC_DEVICE_LIST": "maybe",
            "TIDEMARK_MQTT_TOPIC": "a b/#",
        }
    )
    assert len(found) == 10
    assert found["TIDEMARK_REGISTRATION"].expected == "one of open, first, closed"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TIDEMARK_JWT_SECRET", "hunter2-hunter2"),
        ("TIDEMARK_JWT_SECRET", "abababababababababababababababababab"),
        ("TIDEMARK_JWT_SECRET", "your-secret-key"),
        ("TIDEMARK_DATABASE_URL", "mysql://u:hunter2@db/x"),
        ("TIDEMARK_DATABASE_URL", "postgresql://u:hunter2@db:99999/x"),
        ("TIDEMARK_DATABASE_URL", "postgresql://u:hunter2@db"),
        ("TIDEMARK_NATS_URL", "http://u:hunter2@nats"),
        ("TIDEMARK_MQTT_URL", "mqtt://u:hunter2@"),
    ],
)
def test_a_secret_is_not_repeated(name: str, value: str) -> None:
    found = problems({**GOOD, name: value})
    assert set(found) == {name}
    assert "hunter2" not in str(found[name])
    assert value not in str(found[name])


@pytest.mark.parametrize("sample", ["your-secret-key", "secret", "CHANGEME", "password"])
def test_production_refuses_samples(sample: str) -> None:
    assert set(problems({**GOOD, "TIDEMARK_JWT_SECRET": sample})) == {"TIDEMARK_JWT_SECRET"}
    url = f"postgresql://tidemark:{sample}@db/tidemark"
    assert set(problems({**GOOD, "TIDEMARK_DATABASE_URL": url})) == {"TIDEMARK_DATABASE_URL"}


def test_one_machine_may_do_with_less() -> None:
    samples = {"TIDEMARK_MODE": "up", "TIDEMARK_JWT_SECRET": "secret"}
    assert read_settings({**GOOD, **samples}).jwt_secret == "secret"


def test_a_secret_has_32_bytes_at_least() -> None:
    assert set(problems({**GOOD, "TIDEMARK_JWT_SECRET": SECRET[:31]})) == {"TIDEMARK_JWT_SECRET"}
    assert read_settings({**GOOD, "TIDEMARK_JWT_SECRET": SECRET}).jwt_secret == SECRET


def test_the_secret_may_go_by_its_usual_name() -> None:
    environment = {name: value for name, value in GOOD.items() if name != "TIDEMARK_JWT_SECRET"}
    assert read_settings({**environment, "JWT_SECRET": SECRET}).jwt_secret == SECRET


def test_a_command_asks_only_for_what_it_needs() -> None:
    environment = {"TIDEMARK_DATABASE_URL": "postgres://u@db/x"}
    assert read_settings(environment, {"database_url"}).database_url.startswith("postgresql://u@db/x?")


def test_a_misspelt_variable_is_noticed() -> None:
    found = problems({**GOOD, "TIDEMARK_HTPP_PORT": "1"})
    assert found["TIDEMARK_HTPP_PORT"].expected == "TIDEMARK_HTTP_PORT"
    assert read_settings({**GOOD, "TIDEMARK_SOMETHING_OF_YOURS": "x"})


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("freshness_timeout", "500ms", 0.5),
        ("nats_max_age", "7d", 604800.0),
        ("nats_max_bytes", "10GB", 10 * 1024**3),
        ("public_device_list", "off", False),
        ("sockets", "api=5,worker=7", {"api": 5, "worker": 7}),
        ("mqtt_topic", "plant/hall-1", "plant/hall-1"),
        ("command_timeout_s", "0.5", 0.5),
        (
            "connector_origins",
            "https://UI.example.com:443, http://[::1]:3000/,http://a:80",
            frozenset({"https://ui.example.com", "http://[::1]:3000", "http://a"}),
        ),
    ],
)
def test_kinds_of_values(name: str, text: str, value: object) -> None:
    assert getattr(read_settings({**GOOD, f"TIDEMARK_{name.upper()}": text}), name) == value


def test_the_documented_settings_are_the_real_ones() -> None:
    assert Path(ROOT / "docs/settings.md").read_text() == settings_page(), "tidemark settings > docs/settings.md"


def test_every_connection_to_the_database_notices_a_network_that_swallows_packets() -> None:
    given = {"TIDEMARK_DATABASE_URL": "postgresql://u@db/x?sslmode=require&keepalives_idle=60"}
    url = read_settings(given, {"database_url"}).database_url
    assert dict(parse_qsl(urlsplit(url).query)) == {
        "sslmode": "require",
        "keepalives_idle": "60",
        "keepalives_interval": "3",
        "keepalives_count": "3",
        "tcp_user_timeout": "15000",
    }


@pytest.mark.parametrize("value", ["0", "-1", "1001", "twenty", "2.5"])
def test_the_limit_of_failed_logins_is_a_number_that_can_be_counted(value: str) -> None:
    assert set(problems({**GOOD, "TIDEMARK_LOGIN_FAILURES_PER_MINUTE": value})) == {
        "TIDEMARK_LOGIN_FAILURES_PER_MINUTE"
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CONNECTOR_ORIGINS", "*"),
        ("CONNECTOR_ORIGINS", "ui.example.com"),
        ("CONNECTOR_ORIGINS", "https://ui.example.com/page"),
        ("CONNECTOR_ORIGINS", "https://user@ui.example.com"),
        ("CONNECTOR_AUTH", "none"),
        ("COMMAND_TIMEOUT_S", "0"),
        ("COMMAND_TIMEOUT_S", "8s"),
        ("COMMAND_TIMEOUT_S", "301"),
        ("COMMAND_TIMEOUT_S", "nan"),
    ],
)
def test_what_the_cloud_connector_cannot_be_told(name: str, value: str) -> None:
    assert list(problems({**GOOD, f"TIDEMARK_{name}": value})) == [f"TIDEMARK_{name}"]


def test_production_asks_for_tokens_and_lets_no_page_in() -> None:
    settings = read_settings(GOOD)
    assert (settings.connector_auth, settings.connector_origins, settings.command_timeout_s) == (
        "token",
        frozenset(),
        8,
    )


def test_a_secret_may_be_in_a_file_with_newlines_at_its_end(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(f"{SECRET}\n\n")
    environment = {
        name: value for name, value in GOOD.items() if name not in ("TIDEMARK_JWT_SECRET", "TIDEMARK_SEAL_KEY")
    }
    environment["TIDEMARK_SEAL_KEY_FILE"] = str(file)
    for name in ("JWT_SECRET_FILE", "TIDEMARK_JWT_SECRET_FILE"):
        settings = read_settings({**environment, name: str(file)})
        assert (settings.jwt_secret, settings.seal_key) == (SECRET, SECRET)
    said = read_settings({**environment, "TIDEMARK_JWT_SECRET": "x" + SECRET, "JWT_SECRET_FILE": str(file)})
    assert said.jwt_secret == "x" + SECRET


def test_a_file_that_cannot_be_read_is_a_problem(tmp_path: Path) -> None:
    environment = {name: value for name, value in GOOD.items() if name != "TIDEMARK_JWT_SECRET"}
    found = problems({**environment, "JWT_SECRET_FILE": str(tmp_path / "nothing")})
    assert "JWT_SECRET_FILE" in found["TIDEMARK_JWT_SECRET"].wrong


@pytest.mark.parametrize("key", ["c2hvcnQ=", "no base64!", "aa" * 32])
def test_a_key_that_cannot_sign_is_refused_and_not_told(key: str) -> None:
    (problem,) = problems({**GOOD, "TIDEMARK_PROOF_KEY": key}).values()
    assert problem.variable == "TIDEMARK_PROOF_KEY"
    assert key not in str(problem)


def test_without_a_key_nothing_is_signed() -> None:
    settings = read_settings({**GOOD, "TIDEMARK_PROOF_KEY": ""})
    assert (settings.proof_key, settings.proof_dir, settings.proof_events, settings.proof_seconds) == (
        None,
        None,
        10_000,
        60,
    )
