"""`tidemark simulate`."""

import asyncio
import logging
import os
from typing import Annotated

import typer

from entrypoints.cli.options import DataDir, fail, urls_of


def simulate(
    devices: Annotated[int, typer.Option(min=1, help="How many devices, each with a connection of its own.")] = 10,
    rate: Annotated[
        float, typer.Option(min=0, help="Messages a second of the whole fleet; 0: as fast as can be.")
    ] = 10,
    duration: Annotated[float, typer.Option(min=0, help="Seconds; 0: until Ctrl-C.")] = 0,
    per_message: Annotated[int, typer.Option(min=1, max=500, help="Readings in a message.")] = 1,
    sensors: Annotated[int, typer.Option(min=1, max=256, help="Sensors of each device.")] = 4,
    url: Annotated[
        str | None, typer.Option(metavar="URL", help="The broker; without it that of --data-dir or TIDEMARK_MQTT_URL.")
    ] = None,
    topic: Annotated[str | None, typer.Option(help="The topic below which devices speak.")] = None,
    seed: Annotated[int, typer.Option(help="The same seed is the same devices.")] = 1,
    data_dir: DataDir = None,
) -> None:
    """Run a fleet of MQTT devices that announce themselves, report readings and say when they leave."""
    from adapters.mqtt.broker import InvalidBrokerUrlError
    from entrypoints.simulate import FleetOptions
    from entrypoints.simulate import simulate as run

    # What one of many connections says about its end is no news; the progress line tells what matters.
    logging.getLogger("mqtt").setLevel(logging.CRITICAL)
    broker = url or (None if data_dir else os.environ.get("TIDEMARK_MQTT_URL")) or urls_of(data_dir)["mqtt"]
    options = FleetOptions(
        url=broker,
        topic=topic or os.environ.get("TIDEMARK_MQTT_TOPIC") or "lambdaiot",
        devices=devices,
        sensors=sensors,
        rate=rate,
        per_message=per_message,
        duration=duration,
        seed=seed,
    )
    try:
        asyncio.run(run(options))
    except InvalidBrokerUrlError as invalid:
        fail(invalid, 2)
    except KeyboardInterrupt:
        raise typer.Exit from None  # the end that was asked for
