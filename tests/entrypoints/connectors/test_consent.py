"""The page on which a user agrees, or does not."""

from collections.abc import AsyncIterator
from typing import NamedTuple
from uuid import UUID

import pytest

from adapters.security.codes import ConsentCodes
from application.command import Command
from application.connectors.client import AdmitClient, FailClient, RedirectClient, RemoveClient
from application.executor import CommandExecutor
from domain.connectors.client import CLIENT
from entrypoints.connectors.routes.consent import CONSENT, ROUTES
from entrypoints.exchange import Answer
from tests.application.connectors.facts import CLIENT_ID, creating_client, creating_instance
from tests.application.logs import executor_on
from tests.facts import ORIGIN, device_named
from tests.fakes.event_log import FakeEventLog

CODES = ConsentCodes("a key of the tests")


class Door(NamedTuple):
    executor: CommandExecutor
    consent_codes: ConsentCodes = CODES


class Asked(NamedTuple):
    code: str
    form: bytes = b""

    @property
    def named(self) -> dict[str, str]:
        return {"code": self.code}

    async def body(self, largest: int = 0) -> bytes:
        return self.form


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    """With a client that awaits its user."""
    async with executor_on(FakeEventLog()).running() as executor:
        for command in (
            creating_instance(),
            creating_client(subject="<script>s1</script>", awaits="service"),
            RedirectClient(client_id=CLIENT_ID, location="https://agree.example"),
        ):
            await executor.execute(command, ORIGIN)
        yield Door(executor)


async def ask(door: Door, method: str, form: bytes = b"", client: UUID = CLIENT_ID) -> Answer:
    return await ROUTES[CONSENT][method](door, Asked(CODES.code(client), form))


async def state(door: Door) -> tuple[str, str]:
    client = await door.executor.find(CLIENT, CLIENT_ID)
    assert client is not None
    return client.awaits, client.status


async def test_the_page_has_two_buttons_and_changes_nothing(door: Door) -> None:
    page = await ask(door, "GET")
    assert page.status == 200
    assert page.type == b"text/html; charset=utf-8"
    assert page.body.count(b"<button") == 2
    assert b"<script>" not in page.body
    assert await state(door) == ("user", "STARTING")


async def test_who_agrees_lets_the_client_in_once(door: Door) -> None:
    assert (await ask(door, "POST", b"decision=accept")).status == 200
    assert await state(door) == ("worker", "STARTING")
    for method in ("GET", "POST"):
        assert (await ask(door, method, b"decision=refuse")).status == 410
    assert await state(door) == ("worker", "STARTING")


async def test_who_refuses_leaves_it_in_error_for_good(door: Door) -> None:
    assert (await ask(door, "POST", b"decision=refuse")).status == 200
    assert await state(door) == ("user", "ERROR")
    assert (await ask(door, "POST", b"decision=accept")).status == 410
    assert await state(door) == ("user", "ERROR")


@pytest.mark.parametrize("form", [b"", b"decision=", b"decision=perhaps", b"\xff", b"decision=accept&decision=refuse"])
async def test_anything_else_decides_nothing(door: Door, form: bytes) -> None:
    page = await ask(door, "POST", form)
    assert page.status == 400
    assert page.body.count(b"<button") == 2
    assert await state(door) == ("user", "STARTING")


@pytest.mark.parametrize(
    "settled", [AdmitClient(client_id=CLIENT_ID), FailClient(client_id=CLIENT_ID, reason="its user was too late")]
)
async def test_the_page_of_a_client_that_awaits_nobody_is_gone(door: Door, settled: Command) -> None:
    await door.executor.execute(settled, ORIGIN)
    assert (await ask(door, "GET")).status == 410


async def test_other_codes_lead_nowhere(door: Door) -> None:
    code = CODES.code(CLIENT_ID)
    wrong = ConsentCodes("another key").code(CLIENT_ID)
    for other in ("", "x", "é", wrong, code[:-1], code + "A", code.swapcase(), CODES.code(device_named("nobody"))):
        answer = await ROUTES[CONSENT]["POST"](door, Asked(other, b"decision=accept"))
        assert answer.status == 404
    assert await state(door) == ("user", "STARTING")
    await door.executor.execute(RemoveClient(client_id=CLIENT_ID), ORIGIN)
    assert (await ask(door, "GET")).status == 404
