"""Become an embedded server: assume an identity, ask to die with the parent, exec. Standard library only.

`child.py` runs this file by path with `python -I -S` (13 ms), because code between fork and exec of a process
with threads may deadlock, and because both the namespace and the death signal must be set by the child
itself.

    launch.py PARENT_PID DEATH_SIGNAL IDENTITY exec PROGRAM [ARGUMENT...]
    launch.py PARENT_PID DEATH_SIGNAL IDENTITY reach PATH...

`reach` ends with status 0 if the identity can be assumed and may enter every folder and see every file.

IDENTITY is `same`, `namespace` (root becomes id 1000 of a user namespace of its own) or `UID:GID`.
"""

import ctypes
import os
import signal
import sys

SAME = "same"
NAMESPACE = "namespace"
NOT_POSSIBLE = 77

_INSIDE_ID = 1000
_CLONE_NEWUSER = 0x10000000
_PR_SET_PDEATHSIG = 1
_PR_SET_KEEPCAPS = 8
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE = 2
_CAP_DAC_OVERRIDE = 1
_CAP_DAC_READ_SEARCH = 2
_CAPABILITY_VERSION_3 = 0x20080522


def main(arguments: list[str]) -> None:
    """Do what the module's docstring says; never returns."""
    parent, death_signal, identity, verb, *rest = arguments
    try:
        _assume(identity)
    except (OSError, ValueError) as error:
        sys.exit(_complaint(f"the identity {identity} cannot be assumed: {error}"))
    if verb == "reach":
        sys.exit(0 if all(_may_enter(path) for path in rest) else NOT_POSSIBLE)
    _accept_signals()
    # Last, because a change of credentials clears it.
    _die_with(int(parent), int(death_signal))
    os.execv(rest[0], rest)


def _assume(identity: str) -> None:
    if identity == SAME:
        return
    if identity == NAMESPACE:
        _enter_user_namespace()
    else:
        uid, gid = identity.split(":")
        _become(int(uid), int(gid))
    if os.geteuid() == 0:
        raise ValueError("it is root again")


def _enter_user_namespace() -> None:
    """Keep root's files, lose root's number: outside it is still uid 0, but without any capability."""
    uid, gid = os.geteuid(), os.getegid()
    _check(_libc().unshare(_CLONE_NEWUSER))
    for name, text in (
        ("setgroups", "deny"),  # what the kernel demands before an unprivileged process may write gid_map
        ("uid_map", f"{_INSIDE_ID} {uid} 1"),
        ("gid_map", f"{_INSIDE_ID} {gid} 1"),
    ):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
            file.write(text)


def _become(uid: int, gid: int) -> None:
    """Change the user, but keep the right to pass through folders such as /root, if root has it."""
    if sys.platform == "linux":
        _check(_libc().prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0))
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    if sys.platform == "linux":
        _keep_passage()


def _keep_passage() -> None:
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    sets = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable of capabilities 0-31, then of 32-63
    _check(_libc().capget(header, sets))
    permitted = sets[1]
    # Reading is enough, but a container usually has only the other one.
    kept = next((bit for bit in (_CAP_DAC_READ_SEARCH, _CAP_DAC_OVERRIDE) if permitted & (1 << bit)), None)
    mask = 0 if kept is None else 1 << kept
    _check(_libc().capset(header, (ctypes.c_uint32 * 6)(mask, mask, mask, 0, 0, 0)))
    if kept is not None:
        _check(_libc().prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, kept, 0, 0))


def _may_enter(path: str) -> bool:
    """By trying, since access(2) leaves out the capabilities of an ordinary user."""
    try:
        os.stat(os.path.join(path, ".") if os.path.isdir(path) else path)
    except OSError:
        return False
    return True


def _accept_signals() -> None:
    """A shell's `&` leaves signals ignored, a thread may have blocked some: both would survive the exec."""
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def _die_with(parent: int, death_signal: int) -> None:
    if sys.platform == "linux":
        _check(_libc().prctl(_PR_SET_PDEATHSIG, death_signal, 0, 0, 0))
    if os.getppid() != parent:
        sys.exit(_complaint("the parent died first"))


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _check(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _complaint(sentence: str) -> int:
    print(f"launch: {sentence}", file=sys.stderr)
    return NOT_POSSIBLE


if __name__ == "__main__":
    main(sys.argv[1:])
