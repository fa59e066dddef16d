"""Tidemark as it runs in production: `serve` and `worker` on servers that somebody else runs, here the test."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from adapters.embedded.nats import MQTT_ACK_WAIT, EmbeddedNats
from adapters.embedded.ports import free_ports
from adapters.embedded.postgres import EmbeddedPostgres
from tests.product import Program, run_tidemark


class Installation:
    """`tidemark serve` and `tidemark worker` on servers that belong to the test. Anybody may register there, unless
    `settings` say otherwise."""

    def __init__(self, directory: Path, postgres: EmbeddedPostgres, broker: EmbeddedNats, **settings: str) -> None:
        self.postgres = postgres
        self.broker = broker
        names = ("HTTP", "CONNECTOR", "METRICS", "DISCOVERY", "PRODUCER", "CONSUMER")
        ports = dict(zip(names, free_ports(len(names)), strict=True))
        self.api = f"http://127.0.0.1:{ports['HTTP']}"
        self.environment = {
            "TIDEMARK_DATABASE_URL": postgres.url,
            "TIDEMARK_NATS_URL": broker.url,
            "TIDEMARK_MQTT_URL": broker.mqtt_url,
            "TIDEMARK_MQTT_ACK_WAIT": MQTT_ACK_WAIT,
            "TIDEMARK_JWT_SECRET": os.urandom(32).hex(),
            "TIDEMARK_SEAL_KEY": os.urandom(32).hex(),
            "TIDEMARK_REGISTRATION": "open",
            **{f"TIDEMARK_{name}_PORT": str(port) for name, port in ports.items()},
            **{f"TIDEMARK_{name.upper()}": value for name, value in settings.items()},
        }
        self.programs = [
            Program([command], directory / f"{command}.log", self.environment) for command in ("serve", "worker")
        ]

    @contextmanager
    def running(self, ready: Callable[["Installation"], bool] | None = None) -> Iterator["Installation"]:
        """Migrates and starts both, and waits until they are ready (or what else is asked for)."""
        run_tidemark("migrate", env=self.environment)
        try:
            for program in self.programs:
                program.start()
            self.programs[0].wait_until(lambda: ready(self) if ready else self.is_ready())
            yield self
        finally:
            for program in self.programs:
                program.kill()

    def is_ready(self) -> bool:
        return self.answers("/health/ready")

    def answers(self, path: str) -> bool:
        """Whether a GET is answered with 200."""
        try:
            return httpx.get(f"{self.api}{path}", timeout=5).status_code == 200
        except httpx.HTTPError:
            return False

    def logs(self) -> str:
        return "\n".join(f"{program}:\n{program.log(30)}" for program in self.programs)
