"""The port Passwords: argon2id, in threads of its own so that the event loop never waits for it."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.low_level import Type

from application.executor import Overloaded

T = TypeVar("T")

# OWASP's least: 19 MiB, two passes, one lane; some 25 ms on one core.
MEMORY_KIB = 19 * 1024
PASSES = 2
LANES = 1

# Hashing uses a core fully, and readings need one too.
THREADS = 2
MAX_WAITING = 200


class Argon2Passwords:
    """Hashes and checks passwords, `threads` at a time. A context manager."""

    def __init__(
        self, *, memory_kib: int = MEMORY_KIB, passes: int = PASSES, lanes: int = LANES, threads: int = THREADS
    ) -> None:
        self._hasher = PasswordHasher(time_cost=passes, memory_cost=memory_kib, parallelism=lanes, type=Type.ID)
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="passwords")
        self._waiting = 0
        # Nobody's password, with the same parameters: checking against it takes as long as against a real one.
        self._nobody = self._hasher.hash("")

    async def __aenter__(self) -> "Argon2Passwords":
        return self

    async def __aexit__(self, *_: object) -> None:
        self._threads.shutdown(wait=True, cancel_futures=True)

    async def hash(self, password: str) -> str:
        """Raises Overloaded when too many wait already."""
        return await self._in_thread(lambda: self._hasher.hash(_bytes(password)))

    async def verify(self, password_hash: str | None, password: str) -> bool:
        """Takes as long for no account (`None`) as for a wrong password. Raises Overloaded like `hash`."""
        return await self._in_thread(lambda: self._verify(password_hash, password))

    def is_outdated(self, password_hash: str) -> bool:
        """Whether the hash was made with other parameters than these."""
        try:
            return self._hasher.check_needs_rehash(password_hash)
        except InvalidHashError:
            return True

    def _verify(self, password_hash: str | None, password: str) -> bool:
        try:
            self._hasher.verify(password_hash or self._nobody, _bytes(password))
        except (VerificationError, InvalidHashError):
            return False
        return bool(password_hash)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        if self._waiting >= MAX_WAITING:
            raise Overloaded("too many passwords are being checked")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._waiting -= 1


def _bytes(password: str) -> bytes:
    # JSON may carry half of a surrogate pair; it is a strange password, and no reason to fail.
    return password.encode("utf-8", "surrogatepass")
