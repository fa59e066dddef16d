"""The connector type `webhook` (contract connectors 5.4)."""

import hashlib
import hmac
import json
import time
from typing import Any

import httpx
import pytest

from tests.conformance.connectors.client import NOBODY, App, is_error
from tests.conformance.connectors.elsewhere import Elsewhere, Reply
from tests.product import Product

SECRET = "a secret of the tests"
PROPERTIES = [{"id": "temperature", "type": "NUMBER"}]


@pytest.fixture
def client(app: App) -> str:
    app.instance("webhook", shared_secret=SECRET)
    client = app.new_client("s1", "webhook", properties=PROPERTIES, name_pointer="/name")
    app.becomes(client, "STARTED", things=1)
    return client


def push(
    app: App, client: str, body: Any, *, secret: str = SECRET, at: float | None = None, signature: str = ""
) -> httpx.Response:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    timestamp = str(int(time.time() if at is None else at))
    digest = hmac.new(secret.encode(), timestamp.encode() + b"." + raw, hashlib.sha256).hexdigest()
    headers = {"X-Timestamp": timestamp, "X-Signature": signature or f"sha256={digest}"}
    url = f"{app.product.api}/api/v1/connectors/hooks/{client}"
    return httpx.post(url, content=raw, headers=headers, timeout=30, trust_env=False)


def things(app: App, client: str) -> dict[str, str]:
    return {one["connector_thing_id"]: one["thing_id"] for one in app.shown(client)["mappings"]}


def test_what_is_pushed_is_there_when_it_is_answered(app: App, client: str) -> None:
    answer = push(app, client, {"id": "t1", "name": "Cellar", "temperature": 12.5})
    assert (answer.status_code, answer.content) == (202, b"")
    thing = things(app, client)["t1"]
    assert app.property(thing, "data", "temperature")["value"] == "12.5"
    assert app.get(f"/things/{thing}", "s1").json()["name"] == "Cellar"
    assert push(app, client, [{"id": "t1", "temperature": 13}, {"id": "t2"}]).status_code == 202
    assert app.property(thing, "data", "temperature")["value"] == "13"
    assert set(things(app, client)) == {"hook", "t1", "t2"}


def test_where_to_push_to_is_shown_by_a_thing(app: App, client: str) -> None:
    hook = app.get(f"/things/{things(app, client)['hook']}", "s1").json()
    assert hook["attributes"] == [{"name": "webhook.url", "value": f"/api/v1/connectors/hooks/{client}"}]


def test_a_secret_that_was_not_given_is_made_and_told_once(app: App) -> None:
    answer = app.try_instance("webhook")
    assert set(answer.json()) == {"id", "shared_secret"}
    secret = answer.json()["shared_secret"]
    assert secret not in app.get(f"/connectors/instances/{answer.json()['id']}").text
    client = app.new_client("s1", "webhook", properties=PROPERTIES)
    assert push(app, client, {"id": "t1"}, secret=secret).status_code == 202


def test_what_is_not_signed_so_is_not_taken(app: App, client: str) -> None:
    body = {"id": "t1", "temperature": 1}
    is_error(push(app, client, body, secret="another secret of the tests"), 401, "UNAUTHORIZED")
    is_error(push(app, client, body, signature="sha256=00"), 401, "UNAUTHORIZED")
    is_error(push(app, client, body, at=time.time() - 400), 401, "UNAUTHORIZED")
    is_error(push(app, client, body, at=time.time() + 400), 401, "UNAUTHORIZED")
    assert set(things(app, client)) == {"hook"}


def test_the_same_push_is_taken_once(app: App, client: str) -> None:
    now = time.time()
    assert push(app, client, {"id": "t1", "temperature": 1}, at=now).status_code == 202
    is_error(push(app, client, {"id": "t1", "temperature": 1}, at=now), 409, "PUSH_REPEATED")
    assert push(app, client, {"id": "t1", "temperature": 2}, at=now).status_code == 202


@pytest.mark.parametrize("body", [b"", b"hello", b"[]", b"[5]", b'{"temperature":1}', b'{"id":{}}'])
def test_what_cannot_be_read_is_refused_and_may_be_sent_again(app: App, client: str, body: bytes) -> None:
    assert push(app, client, body).status_code == 400
    assert set(things(app, client)) == {"hook"}


def test_more_than_it_takes_is_refused(app: App) -> None:
    app.instance("webhook", shared_secret=SECRET, max_body_kb=1)
    client = app.new_client("s1", "webhook", properties=PROPERTIES)
    is_error(push(app, client, {"id": "x" * 2000}), 413, "REQUEST_TOO_LARGE")


@pytest.mark.parametrize("id", [NOBODY, "nonsense"])
def test_there_is_no_hook_of_what_there_is_not(app: App, id: str) -> None:
    is_error(push(app, id, {"id": "t1"}), 404, "CONNECTOR_CLIENT_DOESNT_EXIST")


def test_a_client_of_another_type_has_none(with_instance: App) -> None:
    is_error(push(with_instance, with_instance.new_client(), {"id": "t1"}), 404, "CONNECTOR_CLIENT_DOESNT_EXIST")


def test_an_action_is_forwarded_and_signed(app: App) -> None:
    app.instance("webhook", shared_secret=SECRET)
    with Elsewhere().running() as elsewhere:
        actions = [{"id": "beep", "parameters": [{"name": "times", "type": "NUMBER"}]}]
        url = f"{elsewhere.url}/actions"
        client = app.new_client("s1", "webhook", properties=PROPERTIES, actions=actions, forward_url=url)
        app.becomes(client, "STARTED")
        assert push(app, client, {"id": "t1"}).status_code == 202
        asked = app.act(things(app, client)["t1"], "data", "beep", {"times": 2}).json()
        assert asked["status"] == "COMPLETED"
        [request] = elsewhere.requests
        signed = request.headers["x-timestamp"].encode() + b"." + request.raw
        digest = hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
        assert request.headers["x-signature"] == f"sha256={digest}"
        assert (request.body["action"], request.body["parameters"]) == ("beep", {"times": "2"})
        elsewhere.serve = lambda _: Reply(500)
        assert app.act(things(app, client)["t1"], "data", "beep", {}).json()["status"] == "FAILED"


@pytest.mark.parametrize("wrong", [{"properties": []}, {"forward_url": "gopher://x"}, {"id_pointer": "id"}])
def test_what_cannot_be_is_refused(app: App, wrong: dict[str, Any]) -> None:
    is_error(app.try_instance("webhook", shared_secret="short"), 400, "INVALID_CONFIGURATION")
    app.instance("webhook", shared_secret=SECRET)
    is_error(app.try_client("s1", "webhook", **{"properties": PROPERTIES, **wrong}), 400, "INVALID_CONFIGURATION")


def test_the_secret_is_told_to_nobody(app: App, client: str, product: Product) -> None:
    assert SECRET not in product.run("events", "--json", "--from", "1", "--topic", "connectors.")
    assert SECRET not in product.log(10_000)
