"""Passwords: argon2id, off the event loop, and no hint whether an account exists."""

import asyncio
import time
from collections.abc import AsyncIterator
from statistics import median

import pytest

from adapters.security.passwords import MAX_WAITING, Argon2Passwords
from application.executor import Overloaded


@pytest.fixture
async def passwords() -> AsyncIterator[Argon2Passwords]:
    async with Argon2Passwords() as made:
        yield made


async def test_a_password_matches_its_hash_only(passwords: Argon2Passwords) -> None:
    hashed = await passwords.hash("secret123")
    assert hashed.startswith("$argon2id$")
    assert "secret123" not in hashed
    assert await passwords.verify(hashed, "secret123")
    assert not await passwords.verify(hashed, "secret124")
    assert hashed != await passwords.hash("secret123"), "every hash has a salt of its own"


async def test_nothing_matches_where_there_is_no_account(passwords: Argon2Passwords) -> None:
    assert not await passwords.verify(None, "")
    assert not await passwords.verify(None, "secret123")
    assert not await passwords.verify("not a hash", "secret123")


async def test_no_account_takes_as_long_as_a_wrong_password(passwords: Argon2Passwords) -> None:
    hashed = await passwords.hash("secret123")
    known, unknown = [], []
    for _ in range(9):
        started = time.perf_counter()
        await passwords.verify(hashed, "wrong")
        between = time.perf_counter()
        await passwords.verify(None, "wrong")
        known.append(between - started)
        unknown.append(time.perf_counter() - between)
    # Hashing takes milliseconds and leaving it out microseconds: a wide bound tells them apart on a busy machine.
    assert 0.4 < median(unknown) / median(known) < 2.5


async def test_long_and_strange_passwords_count_in_full(passwords: Argon2Passwords) -> None:
    for password in ("x" * 1024, "é漢🛰" * 30, "a\0b", "half a pair \ud800"):
        hashed = await passwords.hash(password)
        assert await passwords.verify(hashed, password)
        assert not await passwords.verify(hashed, password[:-1])


async def test_a_hash_with_other_parameters_is_outdated(passwords: Argon2Passwords) -> None:
    async with Argon2Passwords(memory_kib=8 * 1024, passes=1) as weaker:
        weak = await weaker.hash("secret123")
    assert passwords.is_outdated(weak)
    assert await passwords.verify(weak, "secret123")
    assert not passwords.is_outdated(await passwords.hash("secret123"))
    assert passwords.is_outdated("not a hash")


async def test_the_loop_goes_on_meanwhile(passwords: Argon2Passwords) -> None:
    hashing = asyncio.gather(*(passwords.hash("secret123") for _ in range(6)))
    turns = 0
    while not hashing.done():
        await asyncio.sleep(0)
        turns += 1
    await hashing
    assert turns > 100


async def test_beyond_a_limit_it_says_so_instead_of_queueing(passwords: Argon2Passwords) -> None:
    outcomes = await asyncio.gather(
        *(passwords.verify("not a hash", "x") for _ in range(MAX_WAITING + 5)), return_exceptions=True
    )
    assert sum(isinstance(outcome, Overloaded) for outcome in outcomes) == 5
