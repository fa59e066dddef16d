"""From a request to an answer, in a contract that has two routes, a document and a table of errors."""

import logging
from types import SimpleNamespace
from typing import Any, cast

import pytest

from entrypoints.contract_application import DOCUMENT, ErrorTable, Handler, RoutedApplication, Routes, of_kind
from entrypoints.exchange import Answer, ClientGoneError, Exchange, UnreadableBodyError
from entrypoints.operations.pages import Message


class RefusedError(Exception):
    """The door is closed."""


class RefusedPolitelyError(RefusedError):
    """And says so."""


class Door:
    """Lets everybody in, and has whatever its routes are to fail with."""

    fault: Exception | None = None


Route = Handler[Door, Exchange]


async def show(door: Door, exchange: Exchange) -> Answer:
    if door.fault is not None:
        raise door.fault
    return Answer(exchange.named["id"].encode())


async def stream(door: Door, exchange: Exchange) -> None:
    await exchange.begin(200, ())
    await exchange.write(b"one")
    if door.fault is not None:
        raise door.fault
    await exchange.end()


async def add(_: Door, exchange: Exchange) -> Answer:
    return Answer(str(await exchange.json_body(int)).encode(), 201)


ROUTES: Routes[Route] = {"/things/{id}": {"PUT": add, "GET": show}, "/things": {"GET": stream}}
ERRORS = cast(
    "ErrorTable[Answer]",
    SimpleNamespace(
        NOT_FOUND=Answer(b"nothing", 404),
        INTERNAL=Answer(b"sorry", 500),
        method_not_allowed=lambda allowed: Answer(allowed.encode(), 405),
        refusal_of=lambda error: of_kind(error, {RefusedError: Answer(b"no", 403)}),
    ),
)


class Contract(RoutedApplication[Exchange, Route, Answer]):
    def __init__(self, door: Door) -> None:
        super().__init__(Exchange, ROUTES, ERRORS, prefix="/contract", document=lambda: {"openapi": "3.1.0"})
        self.door = door

    async def handle(self, route: Route, exchange: Exchange) -> Answer | None:
        return await route(self.door, exchange)


class Sent:
    """What was sent, and what the scope says of it."""

    def __init__(self, messages: list[Message], scope: dict[str, Any]) -> None:
        self.messages = messages
        self.template = scope.get("path_template")
        self.status = messages[0].get("status") if messages else None
        self.body = b"".join(message.get("body", b"") for message in messages)


async def ask(method: str, path: str, fault: Exception | None = None, body: bytes = b"") -> Sent:
    messages: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": body}

    async def send(message: Message) -> None:
        messages.append(message)

    door = Door()
    door.fault = fault
    scope = {"type": "http", "method": method, "raw_path": path.encode(), "headers": []}
    await Contract(door)(scope, receive, send)
    return Sent(messages, scope)


async def test_a_route_is_found_and_the_scope_says_which() -> None:
    sent = await ask("GET", "/things/a%20b")
    assert (sent.status, sent.body, sent.template) == (200, b"a b", "/contract/things/{id}")


async def test_a_route_may_answer_by_itself() -> None:
    assert (await ask("GET", "/things")).body == b"one"


async def test_what_is_not_there_is_not_found_and_has_no_template() -> None:
    sent = await ask("GET", "/nothing")
    assert (sent.status, sent.body, sent.template) == (404, b"nothing", None)


async def test_a_method_that_is_not_there_is_told_those_that_are() -> None:
    sent = await ask("DELETE", "/things/1")
    assert (sent.status, sent.body, sent.template) == (405, b"GET, PUT", "/contract/things/{id}")


@pytest.mark.parametrize("fault", [RefusedError(), RefusedPolitelyError()])
async def test_what_goes_wrong_is_told_in_the_words_of_the_contract(fault: Exception) -> None:
    sent = await ask("GET", "/things/1", fault)
    assert (sent.status, sent.body) == (403, b"no")


async def test_what_nobody_expected_is_logged_with_its_route(caplog: pytest.LogCaptureFixture) -> None:
    sent = await ask("GET", "/things/secret", ValueError("a defect"))
    assert (sent.status, sent.body) == (500, b"sorry")
    (record,) = caplog.records
    assert (record.name, record.levelno, record.message) == (
        "tidemark.http",
        logging.ERROR,
        "GET /contract/things/{id} failed",
    )
    assert record.exc_info is not None


@pytest.mark.parametrize("fault", [RefusedError(), ValueError()])
async def test_what_goes_wrong_after_the_answer_has_begun_breaks_it_off(fault: Exception) -> None:
    with pytest.raises(type(fault)):
        await ask("GET", "/things", fault)


@pytest.mark.parametrize("path", ["/things", "/things/1"])
async def test_nothing_more_is_sent_to_a_client_that_has_gone(path: str) -> None:
    sent = await ask("GET", path, ClientGoneError())
    assert sent.body == (b"one" if path == "/things" else b"")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_the_document_is_shown_to_everybody(method: str) -> None:
    sent = await ask(method, DOCUMENT)
    assert (sent.status, sent.body, sent.template) == (200, b'{"openapi":"3.1.0"}', f"/contract{DOCUMENT}")


async def test_the_document_is_only_read() -> None:
    sent = await ask("POST", DOCUMENT)
    assert (sent.status, sent.body) == (405, b"GET, HEAD")


async def test_a_websocket_is_closed_before_it_is_accepted() -> None:
    heard: list[str] = []

    async def receive() -> Message:
        heard.append("connect")
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        heard.append(message["type"])

    await Contract(Door())({"type": "websocket", "path": "/things"}, receive, send)
    assert heard == ["connect", "websocket.close"]


async def test_a_json_body_is_read_as_what_it_is_to_be() -> None:
    assert (await ask("PUT", "/things/1", body=b"7")).body == b"7"


@pytest.mark.parametrize("body", [b"", b"{", b'"7"', b"\xff", b"[" * 100_000])
async def test_a_body_of_another_form_is_refused(body: bytes) -> None:
    async def receive() -> Message:
        return {"type": "http.request", "body": body}

    async def send(_: Message) -> None: ...

    with pytest.raises(UnreadableBodyError):
        await Exchange({"method": "PUT", "headers": []}, receive, send).json_body(int)
