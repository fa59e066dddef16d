"""PostgreSQL 18 as a child that dies with us: its settings, its start and its end."""

import signal
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from adapters.embedded.child import Child, finish_off_leftovers
from adapters.embedded.cluster import DATABASE, ROLE, Cluster, postgres_binaries
from adapters.embedded.directory import DirectoryLock, private_directory
from adapters.embedded.errors import ServerStartError
from adapters.embedded.identity import choose_identity
from adapters.embedded.ports import LOOPBACK, free_port, is_taken, require_free

_NEEDS = ("PostgreSQL", "--postgres-port")
_STALE_PATIENCE_SECONDS = 10.0
_TRY_AGAIN_SECONDS = 0.005
_LOG_LINES = 15
# SIGINT: roll back what is open, write a checkpoint. SIGQUIT: no checkpoint, the next start recovers.
_FAST_SHUTDOWN, _IMMEDIATE_SHUTDOWN = signal.SIGINT, signal.SIGQUIT
_FINISH_OFF = ((_IMMEDIATE_SHUTDOWN, 3.0),)
# Refusals that pass: an earlier server, or what is left of it, has not quite gone.
_STALE = ("pre-existing shared memory block", "lock file")

_SETTINGS: Mapping[str, str] = {
    # An acknowledged write survives a power loss.
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    # Two cores, one program, many short transactions; rare checkpoints, because each makes the log larger.
    "shared_buffers": "128MB",
    "work_mem": "8MB",
    "maintenance_work_mem": "128MB",
    "max_connections": "100",
    "min_wal_size": "256MB",
    "max_wal_size": "2GB",
    "wal_compression": "on",
    "checkpoint_timeout": "15min",
    "random_page_cost": "1.1",
    "jit": "off",
    # Parallel queries take the core that writers need, and fail in a container with a small /dev/shm.
    "max_parallel_workers_per_gather": "0",
    # A client that was killed in the middle of a long query does not keep its locks.
    "client_connection_check_interval": "5s",
    # No way in but loopback TCP with a password.
    "unix_socket_directories": "",
    "password_encryption": "scram-sha-256",
    "timezone": "UTC",
    # A week of logs, one file a day. Neither statements nor the values in a DETAIL: they may hold secrets.
    "logging_collector": "on",
    "log_directory": "log",
    "log_filename": "postgresql-%a.log",
    "log_file_mode": "0600",
    "log_rotation_age": "1d",
    "log_rotation_size": "0",
    "log_truncate_on_rotation": "on",
    "log_checkpoints": "off",
    "log_statement": "none",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_timezone": "UTC",
}


class EmbeddedPostgres:
    """PostgreSQL on `data_dir` (made if need be), with one database and one role `tidemark` that owns it.

    A context manager; blocking, and to be used by one thread at a time. Port 0 takes a free one, which is
    kept over restarts. `settings` are added to ours (a test may say `{"fsync": "off"}`). The role may create
    databases and see statistics, and is no superuser: nobody can log in as one, so an SQL injection cannot
    run programs.

    In the directory: `cluster/` (PostgreSQL's own), `password` (0600), `lock`, `postgres.out`.
    """

    def __init__(
        self,
        data_dir: Path,
        port: int = 0,
        host: str = LOOPBACK,
        *,
        settings: Mapping[str, str] | None = None,
        start_timeout: float = 300.0,
    ) -> None:
        self.data_dir = private_directory(data_dir)
        self.host = host
        self._asked_port = port
        self._port = port
        self._settings = {**_SETTINGS, **(settings or {})}
        self._start_timeout = start_timeout
        self._lock = DirectoryLock(self.data_dir)
        self._cluster = Cluster(self.data_dir)
        self._child: Child | None = None

    @property
    def port(self) -> int:
        """Where it listens; 0 before the first start if a free port was asked for."""
        return self._port

    @property
    def url(self) -> str:
        """`postgresql://tidemark:PASSWORD@127.0.0.1:PORT/tidemark`, which is a secret.

        Raises FileNotFoundError before the first start.
        """
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"postgresql://{ROLE}:{self._cluster.password()}@{host}:{self.port}/{DATABASE}"

    @property
    def pid(self) -> int | None:
        """The process id of the postmaster, None when it was never started or was stopped."""
        return None if self._child is None else self._child.pid

    @property
    def is_alive(self) -> bool:
        """Whether the postmaster runs."""
        return self._child is not None and self._child.poll() is None

    def poll(self) -> int | None:
        """None while it runs or was not started, else the exit status (negative: a signal ended it)."""
        return None if self._child is None else self._child.poll()

    def start(self) -> None:
        """Start it and wait until it accepts connections; nothing happens if it runs.

        The first start makes the cluster; after a crash it recovers, which may take long if much was written.
        Raises DirectoryInUseError, PortTakenError, BinaryMissingError, NoServerUserError, OtherVersionError,
        ServerStartError.
        """
        if self.is_alive:
            return
        binaries = postgres_binaries()
        self._lock.acquire()
        try:
            self._cluster.require_version()
            for folder in (self._cluster.folder, self._cluster.unfinished):
                finish_off_leftovers("postgres", folder, _FINISH_OFF)
            if self._port != 0:
                require_free(self._port, *_NEEDS, self.host)
            identity = choose_identity(self._cluster.folder, reach=[self.data_dir, binaries / "postgres"])
            self._cluster.prepare(binaries, identity, durable=self._settings["fsync"] != "off")
            self._start(binaries, identity)
        except BaseException:
            self.stop(patience=1.0)
            raise

    def stop(self, patience: float = 8.0) -> None:
        """Shut down with a checkpoint, without one after `patience` seconds; frees the directory."""
        if self._child is not None:
            self._child.stop([(_FAST_SHUTDOWN, patience), (_IMMEDIATE_SHUTDOWN, 2.0)])
            self._child = None
        self._lock.release()

    def kill(self) -> None:
        """End it as a crash would (SIGKILL), with the processes of its connections, which would answer for a moment
        longer. The directory stays ours until `stop` or `restart`."""
        if self._child is not None:
            self._child.stop([])
            finish_off_leftovers("postgres", self._cluster.folder, ())

    def restart(self) -> None:
        """Stop it if it runs and start it again, on the same port. Raises what `start` raises."""
        self.stop()
        self.start()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def _output(self) -> Path:
        return self.data_dir / "postgres.out"

    def _start(self, binaries: Path, identity: str) -> None:
        give_up = time.monotonic() + _STALE_PATIENCE_SECONDS
        while True:
            if self._port == 0:
                self._port = free_port(self.host)
            self._child = self._spawn(binaries, identity)
            if self._became_ready(self._child):
                return
            words = self._last_words()
            if is_taken(self._port, self.host):
                # Somebody was quicker with a port that was free a moment ago.
                if self._asked_port != 0:
                    require_free(self._port, *_NEEDS, self.host)
                self._port = 0
            elif not any(refusal in words for refusal in _STALE):
                raise ServerStartError("PostgreSQL", f"it ended with status {self._child.poll()}", words)
            if time.monotonic() > give_up:
                raise ServerStartError("PostgreSQL", "what an earlier server left does not go away", words)
            time.sleep(_TRY_AGAIN_SECONDS)

    def _spawn(self, binaries: Path, identity: str) -> Child:
        settings = {**self._settings, "listen_addresses": self.host, "port": str(self._port)}
        program = [str(binaries / "postgres"), "-D", str(self._cluster.folder)]
        for name, value in settings.items():
            program += ["-c", f"{name}={value}"]
        # SIGQUIT and not SIGINT: a checkpoint may take longer than the next start wants to wait. Not SIGKILL:
        # it would leave the shared memory and the backends behind.
        return Child(
            program,
            directory=self.data_dir,
            output=self._output,
            death_signal=_IMMEDIATE_SHUTDOWN,
            identity=identity,
        )

    def _became_ready(self, child: Child) -> bool:
        """Whether it accepts connections; False when it ended instead.

        Asks the pid file, as pg_ctl does: knocking at the door would log a failure each time.
        """
        deadline = time.monotonic() + self._start_timeout
        while child.poll() is None:
            if self._cluster.pid_file() == (child.pid, "ready"):
                return True
            if time.monotonic() > deadline:
                reason = f"it was not ready in {self._start_timeout:.0f} s"
                raise ServerStartError("PostgreSQL", reason, self._last_words())
            time.sleep(_TRY_AGAIN_SECONDS)
        return False

    def _last_words(self) -> str:
        """What this start wrote before it logged to a file, and the end of the newest log file."""
        texts = [self._output.read_text(errors="replace")] if self._output.exists() else []
        texts.append(self._cluster.newest_log())
        return "\n".join(line for text in texts for line in text.splitlines()[-_LOG_LINES:])
