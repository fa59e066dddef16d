"""`tidemark up`, `serve` and `worker`."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import typer

from entrypoints.cli.options import fail, settings_or_fail
from entrypoints.data_directory import DEFAULT
from entrypoints.settings import ALL_REQUIRED
from entrypoints.sockets import LISTENERS

_AUTO = "0 takes a free one."


def _port(flag: str, what: str, default: int, variable: str) -> typer.models.OptionInfo:
    option: typer.models.OptionInfo = typer.Option(
        flag, metavar="N", envvar=variable, min=0, max=65535, help=f"Port of {what}; {default} by default, {_AUTO}"
    )
    return option


def up(
    data_dir: Annotated[
        Path,
        typer.Option(
            "--data-dir", metavar="DIR", envvar="TIDEMARK_DATA_DIR", help="Where everything is kept: data and secrets."
        ),
    ] = DEFAULT,
    host: Annotated[
        str,
        typer.Option(
            metavar="H", envvar="TIDEMARK_HOST", help="Address to bind. MQTT and NATS ask for no password there."
        ),
    ] = "127.0.0.1",
    http_port: Annotated[int | None, _port("--http-port", "the main API", 8080, "TIDEMARK_HTTP_PORT")] = None,
    connector_port: Annotated[
        int | None, _port("--connector-port", "the cloud connector", 9090, "TIDEMARK_CONNECTOR_PORT")
    ] = None,
    metrics_port: Annotated[
        int | None, _port("--metrics-port", "metric reporting", 3000, "TIDEMARK_METRICS_PORT")
    ] = None,
    discovery_port: Annotated[
        int | None, _port("--discovery-port", "the streams' discovery", 9250, "TIDEMARK_DISCOVERY_PORT")
    ] = None,
    producer_port: Annotated[
        int | None, _port("--producer-port", "the streams' producer", 9251, "TIDEMARK_PRODUCER_PORT")
    ] = None,
    consumer_port: Annotated[
        int | None, _port("--consumer-port", "the streams' consumer", 9252, "TIDEMARK_CONSUMER_PORT")
    ] = None,
    mqtt_port: Annotated[int | None, _port("--mqtt-port", "MQTT", 1883, "TIDEMARK_MQTT_PORT")] = None,
    nats_port: Annotated[int | None, _port("--nats-port", "NATS", 4222, "TIDEMARK_NATS_PORT")] = None,
    ports: Annotated[
        Literal["fixed", "auto"],
        typer.Option(envvar="TIDEMARK_PORTS", help="`auto` takes free ports for all that are not named."),
    ] = "fixed",
    ready_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write the process id and all URLs as JSON to FILE when every listener answers. It has the password of"
            " PostgreSQL, so nobody else may read it.",
        ),
    ] = None,
) -> None:
    """Run everything on this machine: PostgreSQL, NATS with MQTT, the API and the worker.

    Data and secrets are kept in --data-dir, ./data below the current directory by default. Ctrl-C stops in order; a
    second Ctrl-C hurries.
    """
    from adapters.embedded.errors import EmbeddedServerError
    from entrypoints.logs import configure_logs
    from entrypoints.up.supervisor import Plan, StartError, Supervisor

    settings = settings_or_fail((), {**os.environ, "TIDEMARK_MODE": "up"})
    configure_logs("up", settings.log_level, settings.log_format)
    given = {
        "api": http_port,
        "connector": connector_port,
        "metrics": metrics_port,
        "discovery": discovery_port,
        "producer": producer_port,
        "consumer": consumer_port,
        "mqtt": mqtt_port,
        "nats": nats_port,
    }
    usual = {**{listener.name: listener.port for listener in LISTENERS}, "mqtt": 1883, "nats": 4222}
    chosen = {name: (0 if ports == "auto" else usual[name]) if port is None else port for name, port in given.items()}
    plan = Plan(data_dir, host, chosen, ready_file, dict(os.environ))
    typer.echo(f"Starting on {data_dir.absolute()} …", err=True)
    try:
        status = Supervisor(plan, lambda urls, seconds: _announce(data_dir, urls, seconds)).run()
    except (EmbeddedServerError, StartError) as reason:
        fail(reason)
    except OSError as reason:
        fail(f"{reason.strerror or reason}: {reason.filename or host}")
    raise typer.Exit(status)


def serve() -> None:
    """Run the API with all HTTP listeners, for production. Set by TIDEMARK_… variables, see `tidemark settings`."""
    from entrypoints.logs import configure_logs

    settings = settings_or_fail(ALL_REQUIRED)
    configure_logs("api", settings.log_level, settings.log_format)
    from adapters.embedded.errors import PortTakenError
    from entrypoints import processes

    try:
        raise typer.Exit(processes.serve(settings))
    except PortTakenError as taken:
        fail(taken)


def worker() -> None:
    """Run the worker, for production: devices, relay and projections. Any number may run beside each other."""
    from entrypoints.logs import configure_logs

    settings = settings_or_fail(ALL_REQUIRED)
    configure_logs("worker", settings.log_level, settings.log_format)
    from adapters.embedded.errors import PortTakenError
    from entrypoints import processes

    try:
        raise typer.Exit(processes.work(settings))
    except PortTakenError as taken:
        fail(taken)


def _announce(data_dir: Path, urls: Mapping[str, str], seconds: float) -> None:
    names = {
        "api": "Main API",
        "connector": "Cloud connector",
        "metrics": "Metric reporting",
        "discovery": "Streams: discovery",
        "producer": "Streams: producer",
        "consumer": "Streams: consumer",
        "mqtt": "MQTT",
        "nats": "NATS",
        "postgres": "PostgreSQL",
    }
    typer.echo(f"\nTidemark is up after {seconds:.1f} s.\n")
    for name, shown in names.items():
        # The password stays in the data directory.
        scheme, _, rest = urls[name].partition("://")
        typer.echo(f"  {shown:<19} {scheme}://{rest.rpartition('@')[2]}")
    typer.echo(f"  {'Health, metrics':<19} {urls['api']}/health/ready  {urls['api']}/metrics")
    typer.echo(f"  {'Data':<19} {data_dir.absolute()}\n\nCtrl-C stops it.\n")
