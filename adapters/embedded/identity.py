"""Whom PostgreSQL runs as. It refuses to be root, and root's data may lie where nobody else may go."""

import os
import pwd
import signal
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from adapters.embedded.child import launch_command
from adapters.embedded.errors import NoServerUserError
from adapters.embedded.launch import NAMESPACE, SAME

_ORDINARY_USERS = ("postgres", "nobody")
_PROBE_SECONDS = 30.0


def choose_identity(owned: Path, *, reach: Sequence[Path]) -> str:
    """The identity (in the words of launch.py) for a server that owns `owned` and may enter all of `reach`.

    An ordinary user stays who he is. Root takes the first that works of: the ordinary owner of `owned`, so
    that the owner can still use it afterwards; a user namespace; an ordinary user. Raises NoServerUserError.
    """
    if os.geteuid() != 0:
        return SAME
    tried = []
    for identity in _candidates(owned):
        complaint = _why_not(identity, reach)
        if complaint is None:
            return identity
        tried.append(complaint)
    raise NoServerUserError(owned, "; ".join(tried))


def give_to(identity: str, tree: Path) -> None:
    """Make the identity the owner of the tree, and of nothing above it."""
    if identity == SAME or not tree.exists():
        return
    uid, gid = (0, 0) if identity == NAMESPACE else map(int, identity.split(":"))
    if tree.stat().st_uid == uid:
        return
    for folder, _, files in os.walk(tree):
        for name in files:
            os.chown(os.path.join(folder, name), uid, gid, follow_symlinks=False)
        os.chown(folder, uid, gid)


def _candidates(owned: Path) -> Iterator[str]:
    owner = owned.stat() if owned.exists() else None
    if owner is not None and owner.st_uid != 0:
        yield f"{owner.st_uid}:{owner.st_gid}"
        return
    yield NAMESPACE
    for name in _ORDINARY_USERS:
        try:
            user = pwd.getpwnam(name)
        except KeyError:
            continue
        yield f"{user.pw_uid}:{user.pw_gid}"


def _why_not(identity: str, reach: Sequence[Path]) -> str | None:
    command = launch_command(
        [str(path) for path in reach], death_signal=signal.SIGKILL, identity=identity, verb="reach"
    )
    probe = subprocess.run(command, capture_output=True, text=True, timeout=_PROBE_SECONDS, check=False)
    if probe.returncode == 0:
        return None
    return probe.stderr.strip().removeprefix("launch: ") or f"{identity} may not enter it"
