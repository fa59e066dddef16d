"""What can be set from outside: read once, at the start, from `TIDEMARK_…`; all problems are told at once.

`docs/settings.md` is made from this file (`tidemark settings`).
"""

import difflib
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, NamedTuple

from domain.identity.logins import MOST
from entrypoints.setting_kinds import (
    Network,
    Wrong,
    database_url,
    duration,
    file_numbers,
    mqtt_topic,
    networks,
    number,
    number_up_to,
    one_of,
    optional,
    origins,
    port,
    public_url,
    seconds_up_to,
    server_url,
    signing_secret,
    signing_seed,
    size,
    text,
    yes_or_no,
)

PREFIX = "TIDEMARK_"
_FILE = "_FILE"

Mode = Literal["up", "serve"]


class Problem(NamedTuple):
    """One variable, what is wrong with it and what would be right. Never holds the value of a secret."""

    variable: str
    wrong: str
    expected: str

    def __str__(self) -> str:
        return f"{self.variable}: {self.wrong}; expected {self.expected}"


class SettingsError(Exception):
    """The environment cannot be used. Carries every problem, not the first one."""

    def __init__(self, problems: Collection[Problem]) -> None:
        count = "One setting is" if len(problems) == 1 else f"{len(problems)} settings are"
        super().__init__("\n".join([f"{count} not usable:", *(f"  {problem}" for problem in problems)]))
        self.problems = tuple(problems)


class _Kind(NamedTuple):
    parse: Callable[[str], Any]
    default: str | None
    about: str
    # Refuses, in production only, what would do on one's own machine.
    strict: Callable[[str], Any] | None
    fallback: str | None
    # The variable with `_FILE` after it names a file that holds it.
    may_be_file: bool


def _setting(
    parse: Callable[[str], Any],
    default: str | None,
    about: str,
    *,
    strict: Callable[[str], Any] | None = None,
    fallback: str | None = None,
    may_be_file: bool = False,
) -> Any:
    return field(metadata={"kind": _Kind(parse, default, about, strict, fallback, may_be_file)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every setting, checked. What was neither given nor needed by the command is an empty text."""

    mode: Mode = _setting(one_of("up", "serve"), "serve", "`up` or `serve` (production); set by `up`")  # noqa: RUF009  # a field
    database_url: str = _setting(
        database_url(strict=False), None, "PostgreSQL: the log and the read models", strict=database_url(strict=True)
    )
    nats_url: str = _setting(
        server_url("nats", "tls", strict=False), None, "NATS", strict=server_url("nats", "tls", strict=True)
    )
    mqtt_url: str = _setting(
        server_url("mqtt", "mqtts", strict=False),
        None,
        "the devices' MQTT broker",
        strict=server_url("mqtt", "mqtts", strict=True),
    )
    jwt_secret: str = _setting(
        text, None, "signs and checks tokens (HS256)", strict=signing_secret, fallback="JWT_SECRET", may_be_file=True
    )
    seal_key: str = _setting(
        text,
        None,
        "encrypts the secrets in connectors' configurations; whoever loses it has to enter them again",
        strict=signing_secret,
        may_be_file=True,
    )
    public_url: str = _setting(
        public_url,
        "",
        "where the main API is reached from outside, such as `https://iot.example.com`, for the addresses in answers;"
        " empty: as each request names it",
    )
    connector_networks: tuple[Network, ...] = _setting(
        networks,
        "127.0.0.0/8,::1/128,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,fc00::/7",
        "the networks that connectors may reach, with commas between",
    )
    mqtt_topic: str = _setting(mqtt_topic, "lambdaiot", "the topic below which devices speak")
    mqtt_state: bool = _setting(
        yes_or_no,
        "yes",
        "whether messages on topics that begin with `state:` are stored; the gateway then subscribes to `#`",
    )
    mqtt_client_id: str = _setting(
        text,
        "tidemark",
        "names the gateway's session at the broker, for ever the same; of the workers that share it one is connected",
    )
    mqtt_ack_wait: float = _setting(
        duration, "30s", "how long the broker waits before it delivers again what was not acknowledged, or longer"
    )
    host: str = _setting(text, "127.0.0.1", "the address that all listeners bind")
    http_port: int = _setting(port, "8080", "main API")
    connector_port: int = _setting(port, "9090", "cloud connector")
    metrics_port: int = _setting(port, "3000", "metric reporting")
    discovery_port: int = _setting(port, "9250", "streams: discovery")
    producer_port: int = _setting(port, "9251", "streams: producer")
    consumer_port: int = _setting(port, "9252", "streams: consumer")
    worker_port: int = _setting(port, "0", "the worker's own `/health` and `/metrics`, on loopback; 0: none")
    registration: Literal["open", "first", "closed"] = _setting(
        one_of("open", "first", "closed"),
        "first",
        "who may register: `open` anybody (as under `up`), `first` the first account and who has a token with the scope"
        " `users.write`, `closed` nobody, see `tidemark user add`",
    )
    public_device_list: bool = _setting(yes_or_no, "yes", "whether `GET /devices` of Lambda IoT needs no token")
    login_failures_per_minute: int = _setting(
        number_up_to(MOST), "20", "failed logins in a minute that stop a user or a source address for a minute"
    )
    connector_auth: Literal["open", "token"] = _setting(
        one_of("open", "token"),
        "token",
        "whether the cloud connector's routes and its devices' WebSocket need a token: `token` or `open` (as under `up`"
        " on loopback)",
    )
    connector_origins: frozenset[str] = _setting(
        origins,
        "",
        "the browser origins that may use the cloud connector, such as `https://ui.example.com`, with commas between;"
        " under `up` also every loopback origin",
    )
    metrics_read_auth: Literal["open", "token"] = _setting(
        one_of("open", "token"),
        "token",
        "whether reading metrics needs a token: `token` or `open` (as under `up`); reporting always does",
    )
    streams_auth: Literal["open", "token"] = _setting(
        one_of("open", "token"),
        "token",
        "whether producing and consuming need a token: `token` or `open` (as under `up` on loopback); the topics"
        " `$events.…` always need one with the scope `audit.read`",
    )
    consumer_read_timeout_ms: int = _setting(
        number, "120000", "streams: milliseconds after which a consumer that was not heard of has to register again"
    )
    max_message_size: int = _setting(size, "1048576", "streams: bytes that one request to produce may have")
    max_poll_size: int = _setting(size, "2097152", "streams: bytes of messages that one poll brings, about")
    archive_dir: str | None = _setting(
        optional(text),
        "",
        "streams: the directory for days of topics that are archived; empty: such days are kept (under `up` it is below"
        " the data directory)",
    )
    proof_key: str | None = _setting(
        optional(signing_seed),
        "",
        "signs checkpoints of the log (Ed25519), 32 bytes in base64; empty: the log is not signed (under `up` the key"
        " is in the data directory)",
        may_be_file=True,
    )
    proof_dir: str | None = _setting(
        optional(text),
        "",
        "the directory for `checkpoints.jsonl`, a copy of all signed checkpoints; empty: none (under `up` it is below"
        " the data directory)",
    )
    proof_events: int = _setting(
        number_up_to(100_000), "10000", "events that a checkpoint has at most, and that are signed at once"
    )
    proof_seconds: float = _setting(duration, "60s", "how long events wait at most until they are signed")
    export_dir: str | None = _setting(
        optional(text),
        "",
        "the directory that the worker exports the log to, for analytics; empty: none, analytics then reads the log"
        " itself (under `up` it is below the data directory)",
    )
    export_every: float = _setting(duration, "1h", "how often the worker exports; sooner when many events came")
    analytics_timeout: float = _setting(duration, "30s", "how long a question to analytics may take")
    analytics_memory: int = _setting(size, "512MB", "bytes of memory that a question to analytics may take")
    analytics_rows: int = _setting(number, "100000", "rows that an answer of analytics may have")
    analytics_size: int = _setting(size, "16MB", "bytes that an answer of analytics may have")
    command_timeout_s: float = _setting(
        seconds_up_to(300), "8", "how many seconds a device may take to answer a command or a query"
    )
    freshness_timeout: float = _setting(duration, "2s", "how long a read waits for its read model")
    projection_feed: Literal["log", "nats"] = _setting(
        one_of("log", "nats"),
        "log",
        "where read models get new events: `log` is quickest, `nats` spares PostgreSQL the reading",
    )
    lag_limit: int = _setting(number, "10000", "events a read model may be behind before readiness says no")
    drain_timeout: float = _setting(duration, "5s", "how long requests may finish after SIGTERM")
    nats_max_age: float | None = _setting(optional(duration), "", "age up to which NATS keeps events; empty: no limit")
    nats_max_bytes: int | None = _setting(optional(size), "", "bytes of events that NATS keeps; empty: no limit")
    log_level: str = _setting(one_of("debug", "info", "warning", "error"), "info", "the least important line logged")
    log_format: str = _setting(
        one_of("auto", "human", "json"), "auto", "form of the log; auto: human on a terminal, else JSON"
    )
    sockets: Mapping[str, int] = _setting(file_numbers, "", "listening sockets handed down by `tidemark up`")


ALL_REQUIRED = frozenset({"database_url", "nats_url", "mqtt_url", "jwt_secret", "seal_key"})


def read_settings(environment: Mapping[str, str], needs: Collection[str] = ALL_REQUIRED) -> Settings:
    """The settings in `environment`. `needs` names the fields without a default that the command cannot do
    without. Raises SettingsError."""
    problems: list[Problem] = list(_misspelt(environment))
    production = environment.get(f"{PREFIX}MODE", "serve") != "up"
    values: dict[str, Any] = {}
    for spec in fields(Settings):
        kind = _kind(spec)
        name = variable(spec.name)
        names = (name, kind.fallback) if kind.fallback else (name,)
        try:
            given = (given_in(environment, *names) if kind.may_be_file else environment.get(name)) or kind.default
            if given is None:
                values[spec.name] = ""
                if spec.name in needs:
                    problems.append(Problem(name, "is missing", kind.about))
                continue
            values[spec.name] = (kind.strict if kind.strict and production else kind.parse)(given)
        except Wrong as wrong:
            problems.append(Problem(name, wrong.what, wrong.expected))
    if problems:
        raise SettingsError(problems)
    return Settings(**values)


def given_in(environment: Mapping[str, str], *names: str) -> str | None:
    """What the first of these variables says that is there, or the file that the variable with `_FILE` after it names,
    without the newlines at its end. Raises Wrong for a file that cannot be read."""
    for name in names:
        if value := environment.get(name):
            return value
        if path := environment.get(f"{name}{_FILE}"):
            try:
                return Path(path).read_text().rstrip("\r\n")
            except (OSError, ValueError):
                raise Wrong(
                    f"is in a file that {name}{_FILE} names and that cannot be read", "a file of text"
                ) from None
    return None


def variable(name: str) -> str:
    """The environment variable of a field."""
    return f"{PREFIX}{name.upper()}"


def settings_page() -> str:
    """The documentation of all settings, in Markdown."""
    lines = [
        "# Settings",
        "",
        "Environment variables, read at the start; all problems are reported at once. Generated by",
        "`tidemark settings > docs/settings.md`; a test compares.",
        "",
        "| variable | default | what |",
        "|---|---|---|",
    ]
    for spec in fields(Settings):
        kind = _kind(spec)
        default = "required" if kind.default is None else f"`{kind.default}`" if kind.default else ""
        others = [f"`{kind.fallback}`"] if kind.fallback else []
        others += [f"the file in `{name}{_FILE}`" for name in (variable(spec.name),) if kind.may_be_file]
        also = f" (or {', '.join(others)})" if others else ""
        lines.append(f"| `{variable(spec.name)}`{also} | {default} | {kind.about} |")
    lines += [
        "",
        "`serve` and `worker` refuse sample passwords in URLs, and a token secret that is a sample or shorter than 32",
        "bytes. `tidemark up` needs none of these: it starts its own servers and keeps secrets in the data directory.",
        "",
    ]
    return "\n".join(lines)


def _misspelt(environment: Mapping[str, str]) -> Iterator[Problem]:
    known = {variable(spec.name) for spec in fields(Settings)} | _OF_COMMANDS
    known |= {f"{variable(spec.name)}{_FILE}" for spec in fields(Settings) if _kind(spec).may_be_file}
    for name in environment:
        if name.startswith(PREFIX) and name not in known and (near := difflib.get_close_matches(name, known, 1, 0.85)):
            yield Problem(name, "is no setting", near[0])


def _kind(spec: "Field[Any]") -> _Kind:
    kind: _Kind = spec.metadata["kind"]
    return kind


# Flags of commands, which can be given as variables too.
_OF_COMMANDS = frozenset({"TIDEMARK_DATA_DIR", "TIDEMARK_PORTS", "TIDEMARK_MQTT_PORT", "TIDEMARK_NATS_PORT"})
