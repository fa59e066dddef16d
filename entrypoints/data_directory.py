"""The directory of `tidemark up`: secrets, the embedded servers' data, and where things are while it runs."""

import base64
import json
import os
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from adapters.embedded.directory import DirectoryLock, private_directory, write_private

DEFAULT = Path("data")


class DataDirectory:
    """Everything that one installation keeps. Files with secrets have mode 0600."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def postgres(self) -> Path:
        return self.path / "postgres"

    @property
    def nats(self) -> Path:
        return self.path / "nats"

    def prepare(self) -> DirectoryLock:
        """Makes the directory if need be; the lock says that one process runs on it."""
        self.path = private_directory(self.path)
        return DirectoryLock(self.path)

    def jwt_secret(self) -> str | None:
        """The secret that signs tokens, None before the first start."""
        return _secret_in(self._secret)

    def keep_jwt_secret(self, given: str | None) -> str:
        """The given secret, else the one there is, else a new one; it is kept."""
        return _kept(self._secret, given)

    def keep_seal_key(self, given: str | None) -> str:
        """The same of the key that encrypts the secrets of connectors."""
        return _kept(self.path / "seal-key", given)

    def keep_proof_key(self, given: str | None) -> str:
        """The same of the seed of the key that signs the log."""
        return _kept(self._proof_key, given, lambda: base64.b64encode(secrets.token_bytes(32)).decode())

    def proof_key(self) -> str | None:
        """None before the first start."""
        return _secret_in(self._proof_key)

    @property
    def proof(self) -> Path:
        """Where the copy of the signed checkpoints is, unless a setting says otherwise."""
        return self.path / "proof"

    @property
    def export(self) -> Path:
        """Where the worker keeps an export of the log, unless a setting says otherwise."""
        return self.path / "export"

    def has_schema(self, fingerprint: str) -> bool:
        """Whether the embedded database was brought to exactly these migrations already."""
        try:
            return self._schema.read_text() == fingerprint
        except FileNotFoundError:
            return False

    def keep_schema(self, fingerprint: str) -> None:
        write_private(self._schema, fingerprint)

    def say_running(self, urls: Mapping[str, str]) -> None:
        """For further commands on this directory. Holds the password of PostgreSQL."""
        write_private(self._running, ready_text(urls))

    def forget_running(self) -> None:
        self._running.unlink(missing_ok=True)

    def urls(self) -> Mapping[str, str] | None:
        """Where things are, if `tidemark up` runs on this directory."""
        try:
            said: dict[str, Any] = json.loads(self._running.read_text())
            os.kill(said["pid"], 0)
        except (FileNotFoundError, NotADirectoryError, ProcessLookupError, ValueError):
            return None
        except PermissionError:
            pass  # somebody else's process, but it runs
        urls: dict[str, str] = said["urls"]
        return urls

    @property
    def _secret(self) -> Path:
        return self.path / "jwt-secret"

    @property
    def _proof_key(self) -> Path:
        return self.path / "proof-key"

    @property
    def _schema(self) -> Path:
        # Beside the cluster: whoever deletes one deletes the other.
        return self.postgres / "schema"

    @property
    def _running(self) -> Path:
        return self.path / "running.json"


def _kept(file: Path, given: str | None, make: Callable[[], str] = lambda: secrets.token_urlsafe(48)) -> str:
    known = _secret_in(file)
    secret = given or known or make()
    if secret != known:
        write_private(file, f"{secret}\n")
    return secret


def _secret_in(file: Path) -> str | None:
    try:
        return file.read_text().strip()
    except FileNotFoundError:
        return None


def ready_text(urls: Mapping[str, str]) -> str:
    """The content of the ready file."""
    return json.dumps({"pid": os.getpid(), "urls": dict(urls)}, indent=2) + "\n"
