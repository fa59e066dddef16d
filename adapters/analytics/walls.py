"""Walls that a process puts up around itself and cannot take down again: what it may not do, no code in it can do.

Linux only. Landlock holds the files (from kernel 5.13 on), seccomp the system calls. Where the kernel has neither,
`raise_walls` says which are missing, and whoever asked for them decides what is still to be done.
"""

import ctypes
import os
import platform
import resource
import signal
import struct
import sys
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Final

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_NO_NEW_PRIVS: Final = 38
_PR_SET_SECCOMP: Final = 22
_SECCOMP_MODE_FILTER: Final = 2

# The system calls of landlock have the same numbers everywhere.
_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 444, 445, 446
_LANDLOCK_CREATE_VERSION: Final = 1
_READ_FILE, _READ_DIR = 1 << 2, 1 << 3
# All rights over files that each version of it knows.
_RIGHTS_BY_VERSION: Final = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1}

_AUDIT_ARCH: Final = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
# By architecture, what makes a thread, or another process.
_THREADS: Final = {"x86_64": (56, 435), "aarch64": (220, 435)}
# What reaches out of the process: other machines, other programs, other processes. By architecture.
_REFUSED: Final = {
    "x86_64": {
        "socket": 41,
        "connect": 42,
        "accept": 43,
        "sendto": 44,
        "sendmsg": 46,
        "bind": 49,
        "listen": 50,
        "socketpair": 53,
        "fork": 57,
        "vfork": 58,
        "execve": 59,
        "kill": 62,
        "ptrace": 101,
        "mount": 165,
        "unshare": 272,
        "accept4": 288,
        "process_vm_readv": 310,
        "process_vm_writev": 311,
        "bpf": 321,
        "execveat": 322,
        "io_uring_setup": 425,
        "pidfd_getfd": 438,
    },
    "aarch64": {
        "socket": 198,
        "socketpair": 199,
        "bind": 200,
        "listen": 201,
        "accept": 202,
        "connect": 203,
        "sendto": 206,
        "sendmsg": 211,
        "accept4": 242,
        "execve": 221,
        "kill": 129,
        "ptrace": 117,
        "mount": 40,
        "unshare": 97,
        "process_vm_readv": 270,
        "process_vm_writev": 271,
        "bpf": 280,
        "execveat": 281,
        "io_uring_setup": 425,
        "pidfd_getfd": 438,
    },
}

_LOAD, _JUMP_IF_EQUAL, _JUMP_IF_GREATER, _RETURN = 0x20, 0x15, 0x35, 0x06
_ALLOW, _KILL, _NOT_PERMITTED = 0x7FFF0000, 0x80000000, 0x00050000 | 1
_X32_BIT: Final = 0x40000000


def die_with_parent() -> None:
    """Whoever asked is gone: so are we."""
    if sys.platform == "linux":
        _libc().prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def limit(memory: int, seconds: float) -> None:
    """So much address space, so much time on the processor (beside the time that whoever started us gives us), no
    file longer than nothing, no core left behind."""
    if sys.platform == "linux":  # elsewhere so little address space cannot be asked for
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    cpu = int(seconds * (os.cpu_count() or 1)) + 1
    # SIGXCPU, which says so, comes a second before SIGKILL, which is also what the kernel sends when memory is short.
    resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu + 1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def raise_walls(readable: Collection[Path], *, threads: bool = True) -> Sequence[str]:
    """From now on only files below `readable` can be read and none written, nothing is sent anywhere and no program is
    started; nor a thread, if there are to be none. Returns the names of the walls that this machine does not have."""
    if sys.platform != "linux":
        return ("files", "network")
    if _libc().prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        return ("files", "network")
    missing = [] if _hold_files(readable) else ["files"]
    return [*missing, *([] if _hold_calls(threads) else ["network"])]


def _hold_files(readable: Collection[Path]) -> bool:
    libc = _libc()
    version = libc.syscall(_LANDLOCK_CREATE, None, 0, _LANDLOCK_CREATE_VERSION)
    if version < 1:
        return False
    rights = _RIGHTS_BY_VERSION[min(version, max(_RIGHTS_BY_VERSION))]
    ruleset = libc.syscall(_LANDLOCK_CREATE, struct.pack("=Q", rights), 8, 0)
    if ruleset < 0:
        return False
    for path in readable:
        if path.exists():
            below = os.open(path, os.O_PATH)
            allowed = _READ_FILE | (_READ_DIR if path.is_dir() else 0)
            if libc.syscall(_LANDLOCK_ADD, ruleset, 1, struct.pack("=Qi", allowed, below), 0) != 0:
                return False
            os.close(below)
    held = libc.syscall(_LANDLOCK_RESTRICT, ruleset, 0) == 0
    os.close(ruleset)
    return bool(held)


def _hold_calls(threads: bool) -> bool:
    machine = platform.machine()
    if machine not in _AUDIT_ARCH:
        return False
    numbers = sorted([*_REFUSED[machine].values(), *(() if threads else _THREADS[machine])])
    count = len(numbers)
    program = [
        (_LOAD, 0, 0, 4),  # the architecture
        (_JUMP_IF_EQUAL, 1, 0, _AUDIT_ARCH[machine]),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, 0),  # the number of the call
        # The same calls have other numbers for programs of 32 bits.
        (_JUMP_IF_GREATER, count + 1, 0, _X32_BIT),
        *((_JUMP_IF_EQUAL, count - at, 0, number) for at, number in enumerate(numbers)),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _NOT_PERMITTED),
    ]
    code = b"".join(struct.pack("=HBBI", *instruction) for instruction in program)
    buffer = ctypes.create_string_buffer(code)
    filter = struct.pack("@HP", len(program), ctypes.addressof(buffer))
    return bool(_libc().prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.c_char_p(filter), 0, 0) == 0)


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
