"""Starts the servers and our own processes, watches them, and ends them in order."""

import logging
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from types import FrameType

import migrations
from adapters.embedded.directory import write_private
from adapters.embedded.errors import EmbeddedServerError
from adapters.embedded.nats import MQTT_ACK_WAIT, EmbeddedNats
from adapters.embedded.ports import LOOPBACK, is_loopback, require_free
from adapters.embedded.postgres import EmbeddedPostgres
from entrypoints.data_directory import DataDirectory, ready_text
from entrypoints.settings import given_in
from entrypoints.sockets import API, LISTENERS, WORKER, listening_socket
from entrypoints.up.answers import get, missing
from entrypoints.up.parts import Process, Watched, how_it_ended

logger = logging.getLogger("tidemark.up")

TICK = 0.05
# Together under the 15 s that a stop may take, the servers' last resort included.
API_SECONDS, WORKER_SECONDS, NATS_SECONDS, POSTGRES_SECONDS = 6.0, 3.0, 1.5, 2.0
HURRIED_SECONDS = 0.2
# What ends so often before it was ready once will not become ready.
HOPELESS = 5
WAITING_WORD_SECONDS = 10.0


class StartError(Exception):
    """It cannot start; the message is for the operator."""


class _Asked(BaseException):
    """SIGTERM, SIGHUP or Ctrl-C, wherever we are."""


@dataclass(frozen=True)
class Plan:
    """What to run. `ports` maps listeners, `mqtt` and `nats` to ports, 0 for a free one."""

    data_dir: Path
    host: str
    ports: Mapping[str, int]
    ready_file: Path | None
    environment: Mapping[str, str] = field(repr=False)


class Supervisor:
    """`run` returns the exit status when it was asked to stop."""

    def __init__(self, plan: Plan, announce: Callable[[Mapping[str, str], float], None]) -> None:
        self._plan = plan
        self._announce = announce
        self._directory = DataDirectory(plan.data_dir)
        self._sockets: dict[str, socket.socket] = {}
        self._servers: list[Watched] = []
        self._api: Watched | None = None
        self._worker: Watched | None = None
        self._hurry = False
        self._stopping = False

    def run(self) -> int:
        """Raises EmbeddedServerError, StartError, OSError when it cannot start."""
        started = time.monotonic()
        lock = self._directory.prepare()
        lock.acquire()
        self._forget()
        postgres = EmbeddedPostgres(self._directory.postgres)
        nats = EmbeddedNats(
            self._directory.nats, self._plan.ports["nats"], self._plan.ports["mqtt"], host=self._plan.host
        )
        try:
            with self._signals():
                try:
                    self._start(postgres, nats)
                    self._wait_until_ready()
                    urls = self._urls(postgres, nats)
                    self._say_ready(urls)
                    self._announce(urls, time.monotonic() - started)
                    self._watch(lambda: False)
                except _Asked:
                    logger.info("stopping")
                finally:
                    self._stopping = True
                    self._stop(postgres, nats)
        finally:
            self._forget()
            lock.release()
        return 0

    def _start(self, postgres: EmbeddedPostgres, nats: EmbeddedNats) -> None:
        self._open_sockets()
        with _meanwhile(nats.start):
            postgres.start()
        self._servers = [Watched("PostgreSQL", postgres), Watched("NATS", nats)]
        environment = self._environment(postgres, nats)
        self._migrate(environment)
        http = {listener.name: self._sockets[listener.name] for listener in LISTENERS}
        own = {WORKER.name: self._sockets[WORKER.name]}
        self._api = Watched("the API", Process("serve", environment, http))
        self._worker = Watched("the worker", Process("worker", environment, own))
        for watched in self._processes:
            watched.start()

    def _migrate(self, environment: Mapping[str, str]) -> None:
        """Loading the migrations takes longer than everything else, so it is left out when nothing has changed."""
        fingerprint = _migrations()
        if self._directory.has_schema(fingerprint):
            return
        process = Process("migrate", environment, {})
        process.start()
        while (status := process.poll()) is None:
            time.sleep(TICK)
        if status != 0:
            raise StartError("The database could not be brought to this version; the reason is above.")
        self._directory.keep_schema(fingerprint)

    def _open_sockets(self) -> None:
        """Ours stay open as long as we run: nobody takes a port meanwhile, and a restart refuses no client."""
        for listener in LISTENERS:
            port = self._plan.ports[listener.name]
            self._sockets[listener.name] = listening_socket(self._plan.host, port, listener.purpose, listener.flag)
        self._sockets[WORKER.name] = listening_socket(LOOPBACK, 0, WORKER.purpose, WORKER.flag)
        for name, purpose in (("mqtt", "MQTT"), ("nats", "NATS")):
            if self._plan.ports[name]:
                require_free(self._plan.ports[name], purpose, f"--{name}-port", self._plan.host)

    def _environment(self, postgres: EmbeddedPostgres, nats: EmbeddedNats) -> dict[str, str]:
        given = self._plan.environment
        ports = {
            f"TIDEMARK_{listener.setting.upper()}": str(self._port(listener.name)) for listener in (*LISTENERS, WORKER)
        }
        return {
            # Threads that come and go leave memory behind in glibc's arenas, eight for each core: 25 MB in all.
            "MALLOC_ARENA_MAX": "2",
            **given,
            **ports,
            "TIDEMARK_MODE": "up",
            # On one's own machine nobody has to be asked for a token first.
            "TIDEMARK_REGISTRATION": given.get("TIDEMARK_REGISTRATION") or "open",
            "TIDEMARK_CONNECTOR_AUTH": given.get("TIDEMARK_CONNECTOR_AUTH")
            or ("open" if is_loopback(self._plan.host) else "token"),
            "TIDEMARK_STREAMS_AUTH": given.get("TIDEMARK_STREAMS_AUTH")
            or ("open" if is_loopback(self._plan.host) else "token"),
            "TIDEMARK_METRICS_READ_AUTH": given.get("TIDEMARK_METRICS_READ_AUTH") or "open",
            "TIDEMARK_ARCHIVE_DIR": given.get("TIDEMARK_ARCHIVE_DIR") or str(self._directory.path / "archive"),
            "TIDEMARK_PROOF_DIR": given.get("TIDEMARK_PROOF_DIR") or str(self._directory.proof),
            "TIDEMARK_EXPORT_DIR": given.get("TIDEMARK_EXPORT_DIR") or str(self._directory.export),
            "TIDEMARK_HOST": self._plan.host,
            "TIDEMARK_DATABASE_URL": postgres.url,
            "TIDEMARK_NATS_URL": nats.url,
            "TIDEMARK_MQTT_URL": nats.mqtt_url,
            "TIDEMARK_MQTT_ACK_WAIT": MQTT_ACK_WAIT,
            "TIDEMARK_JWT_SECRET": self._directory.keep_jwt_secret(
                given_in(given, "TIDEMARK_JWT_SECRET", "JWT_SECRET")
            ),
            "TIDEMARK_SEAL_KEY": self._directory.keep_seal_key(given_in(given, "TIDEMARK_SEAL_KEY")),
            "TIDEMARK_PROOF_KEY": self._directory.keep_proof_key(given_in(given, "TIDEMARK_PROOF_KEY")),
        }

    def _port(self, name: str) -> int:
        return int(self._sockets[name].getsockname()[1])

    def _urls(self, postgres: EmbeddedPostgres, nats: EmbeddedNats) -> dict[str, str]:
        host = f"[{self._plan.host}]" if ":" in self._plan.host else self._plan.host
        http = {listener.name: f"http://{host}:{self._port(listener.name)}" for listener in LISTENERS}
        return {**http, "mqtt": nats.mqtt_url, "nats": nats.public_url, "postgres": postgres.url}

    def _say_ready(self, urls: Mapping[str, str]) -> None:
        self._directory.say_running(urls)
        if self._plan.ready_file is not None:
            # It holds the password of PostgreSQL.
            write_private(self._plan.ready_file, ready_text(urls))

    def _forget(self) -> None:
        """What an earlier run said of itself is no longer true."""
        self._directory.forget_running()
        if self._plan.ready_file is not None:
            self._plan.ready_file.unlink(missing_ok=True)

    def _wait_until_ready(self) -> None:
        """Raises StartError when one of our processes cannot stay alive."""
        next_word = time.monotonic() + WAITING_WORD_SECONDS

        def ready() -> bool:
            nonlocal next_word
            for watched in self._processes:
                if watched.endings >= HOPELESS:
                    raise StartError(f"{watched.name} does not stay alive; its last words are above.")
            lacks = self._lacks()
            if lacks and time.monotonic() > next_word:
                next_word += WAITING_WORD_SECONDS
                logger.warning("still waiting: %s", lacks)
            return not lacks

        self._watch(ready)

    def _lacks(self) -> str:
        """What there is to wait for, empty when every listener answers and everybody can work."""
        if any(watched.part.poll() is not None for watched in self._processes):
            return "a process is being started again"
        host = LOOPBACK if self._plan.host in ("0.0.0.0", "::") else self._plan.host
        if lack := missing(host, self._port(API.name)):
            return f"the API: {lack}"
        for listener in LISTENERS:
            if get(host, self._port(listener.name), "/health/live")[0] != 200:
                return f"{listener.purpose} does not answer"
        lack = missing(LOOPBACK, self._port(WORKER.name))
        return f"the worker: {lack}" if lack else ""

    @property
    def _processes(self) -> list[Watched]:
        """Ours, in the order in which they are ended."""
        return [watched for watched in (self._api, self._worker) if watched]

    def _watch(self, enough: Callable[[], bool]) -> None:
        """Starts again what ended, until there is enough of it or we are asked to stop."""
        while not enough():
            for watched in (*self._servers, *self._processes):
                if watched.look(_tell_ending):
                    try:
                        watched.start()
                    except EmbeddedServerError as reason:
                        logger.error("%s does not start again: %s", watched.name, reason)
                        watched.put_off()
                    else:
                        logger.info("%s was started again", watched.name)
            time.sleep(TICK)

    def _stop(self, postgres: EmbeddedPostgres, nats: EmbeddedNats) -> None:
        """Whoever needs another is ended before it."""
        for opened in self._sockets.values():
            opened.close()
        for watched, seconds in zip(self._processes, (API_SECONDS, WORKER_SECONDS), strict=False):
            if isinstance(watched.part, Process):
                watched.part.ask_to_stop()
                if not self._ended(watched.part, seconds):
                    logger.warning("%s did not finish in time and was killed", watched.name)
        nats.stop(patience=HURRIED_SECONDS if self._hurry else NATS_SECONDS)
        postgres.stop(patience=HURRIED_SECONDS if self._hurry else POSTGRES_SECONDS)

    def _ended(self, process: Process, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while process.poll() is None:
            left = deadline - time.monotonic()
            if left <= 0 or self._hurry:
                return process.wait(HURRIED_SECONDS)
            time.sleep(min(TICK, left))
        return True

    @contextmanager
    def _signals(self) -> Iterator[None]:
        def asked(_: int, __: FrameType | None) -> None:
            if self._stopping:
                self._hurry = True
                return
            self._stopping = True
            raise _Asked

        numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
        before = {number: signal.signal(number, asked) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


@contextmanager
def _meanwhile(start: Callable[[], None]) -> Iterator[None]:
    """Runs it in a thread beside the body; raises what it complained of."""
    complaints: list[Exception] = []

    def run() -> None:
        try:
            start()
        except Exception as complaint:  # noqa: BLE001  # raised again in the main thread
            complaints.append(complaint)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        thread.join()
    if complaints:
        raise complaints[0]


def _migrations() -> str:
    """Changes with every migration that is added."""
    fingerprint = blake2b(digest_size=16)
    for step in sorted((Path(migrations.__file__).parent / "versions").glob("*.py")):
        fingerprint.update(step.read_bytes())
    return fingerprint.hexdigest()


def _tell_ending(name: str, status: int, pause: float) -> None:
    logger.error("%s %s; starting it again in %.1f s", name, how_it_ended(status), pause)
