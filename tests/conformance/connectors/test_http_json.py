"""The connector type `http-json`, against a server that answers (contract connectors 5.2, case C14)."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.conformance.connectors.client import App, is_error
from tests.conformance.connectors.elsewhere import Elsewhere, Reply, Request
from tests.waiting import eventually

ROOMS = [{"id": "r1", "name": "Kitchen", "climate": {"t": 21.5}, "lit": True}, {"id": "r2", "climate": {"t": 19}}]
PROPERTIES = [
    {"id": "temperature", "pointer": "/climate/t", "type": "NUMBER", "unit": "°C"},
    {"id": "lit", "type": "BOOLEAN"},
]
CLIENT: dict[str, Any] = {"path": "/rooms", "interval_s": 1, "name_pointer": "/name", "properties": PROPERTIES}


@pytest.fixture
def elsewhere() -> Iterator[Elsewhere]:
    with Elsewhere().running() as running:
        running.serve = lambda _: Reply(200, ROOMS)
        yield running


@pytest.fixture
def connected(app: App, elsewhere: Elsewhere) -> App:
    app.instance("http-json", base_url=elsewhere.url, bearer_token="the-token", headers={"X-Key": "k"})
    return app


def things_of(app: App, client: str, count: int) -> dict[str, str]:
    shown = app.becomes(client, "STARTED", things=count)
    return {one["connector_thing_id"]: one["thing_id"] for one in shown["mappings"]}


def test_C14_without_a_base_url_there_is_no_instance(app: App) -> None:
    is_error(app.try_instance("http-json"), 400, "INVALID_CONFIGURATION", "base_url: is missing")
    is_error(app.try_instance("http-json", base_url="ftp://x"), 400, "INVALID_CONFIGURATION")
    assert app.get("/connectors/instances").json() == []


def test_every_object_of_a_list_is_a_thing(connected: App, elsewhere: Elsewhere) -> None:
    client = connected.new_client("s1", "http-json", **CLIENT)
    things = things_of(connected, client, 2)
    assert set(things) == {"r1", "r2"}
    assert connected.get(f"/things/{things['r1']}", "s1").json()["name"] == "Kitchen"
    assert connected.property(things["r1"], "data", "temperature")["value"] == "21.5"
    assert connected.property(things["r2"], "data", "temperature")["value"] == "19"
    assert connected.property(things["r1"], "data", "lit")["value"] == "true"
    assert connected.property(things["r2"], "data", "lit")["value"] == "", "it is not there"
    request = elsewhere.requests[0]
    assert (request.path, request.headers["authorization"], request.headers["x-key"]) == (
        "/rooms",
        "Bearer the-token",
        "k",
    )


def test_what_is_measured_elsewhere_goes_on(connected: App, elsewhere: Elsewhere) -> None:
    client = connected.new_client("s1", "http-json", **CLIENT)
    thing = things_of(connected, client, 2)["r1"]
    elsewhere.serve = lambda _: Reply(200, [{"id": "r1", "climate": {"t": 22.25}}])
    eventually(lambda: connected.property(thing, "data", "temperature")["value"] == "22.25")


def test_a_thing_that_vanishes_is_unavailable_and_comes_back(connected: App, elsewhere: Elsewhere) -> None:
    client = connected.new_client("s1", "http-json", **CLIENT)
    thing = things_of(connected, client, 2)["r2"]

    def is_there(status: str) -> bool:
        return bool(connected.get(f"/things/{thing}", "s1").json()["status"] == status)

    elsewhere.serve = lambda _: Reply(200, ROOMS[:1])
    eventually(lambda: is_there("UNAVAILABLE"))
    elsewhere.serve = lambda _: Reply(200, ROOMS)
    eventually(lambda: is_there("AVAILABLE"))


def test_a_whole_document_is_one_thing_and_is_not_sent_twice(connected: App, elsewhere: Elsewhere) -> None:
    def serve(request: Request) -> Reply:
        if request.headers.get("if-none-match") == '"1"':
            return Reply(304)
        return Reply(200, {"temperature": 5}, {"ETag": '"1"'})

    elsewhere.serve = serve
    properties = [{"id": "temperature", "type": "NUMBER"}]
    client = connected.new_client("s1", "http-json", path="/one", interval_s=1, properties=properties)
    assert set(things_of(connected, client, 1)) == {"document"}
    eventually(lambda: elsewhere.requests[-1].headers.get("if-none-match") == '"1"')
    assert connected.shown(client)["status"] == "STARTED"


@pytest.mark.parametrize("reply", [Reply(403), Reply(401), Reply(200, "text"), Reply(200, [{"name": "no id"}])])
def test_what_time_does_not_mend_is_an_error_at_once(connected: App, elsewhere: Elsewhere, reply: Reply) -> None:
    elsewhere.serve = lambda _: reply
    client = connected.new_client("s1", "http-json", **CLIENT)
    connected.becomes(client, "ERROR")


def test_an_outage_is_waited_for(connected: App, elsewhere: Elsewhere) -> None:
    elsewhere.serve = lambda _: Reply(503)
    client = connected.new_client("s1", "http-json", **CLIENT)
    eventually(lambda: len(elsewhere.requests) >= 2)
    assert connected.shown(client)["status"] == "STARTING"
    elsewhere.serve = lambda _: Reply(200, ROOMS)
    connected.becomes(client, "STARTED", things=2)


def test_an_action_is_a_request(connected: App, elsewhere: Elsewhere) -> None:
    action = {
        "id": "heat",
        "method": "PUT",
        "path": "/rooms/{id}/target",
        "body": {"target": "{degrees}", "note": "to {degrees}"},
        "parameters": [{"name": "degrees", "type": "NUMBER"}],
    }
    client = connected.new_client("s1", "http-json", **CLIENT, actions=[action])
    thing = things_of(connected, client, 2)["r1"]
    assert connected.act(thing, "data", "heat", {"degrees": 21.5}).json()["status"] == "COMPLETED"
    [asked] = [request for request in elsewhere.requests if request.method == "PUT"]
    assert (asked.path, asked.body) == ("/rooms/r1/target", {"target": 21.5, "note": "to 21.5"})
    elsewhere.serve = lambda request: Reply(200, ROOMS) if request.method == "GET" else Reply(409)
    refused = connected.act(thing, "data", "heat", {"degrees": 99}).json()
    assert (refused["status"], refused["error"]) == ("FAILED", "the other side answered 409")


@pytest.mark.parametrize(
    "wrong",
    [
        {"path": "/../admin"},
        {"path": "/%2e%2e/admin"},
        {"path": "http://elsewhere/"},
        {"path": ""},
        {"properties": []},
        {"properties": [{"id": "bad id!", "type": "NUMBER"}]},
        {"properties": [{"id": "a", "type": "COLOUR"}]},
        {"properties": [{"id": "a", "type": "NUMBER"}, {"id": "A", "type": "NUMBER"}]},
        {"id_pointer": "id"},
        {"interval_s": 0},
        {"actions": [{"id": "a"}]},
        {"actions": [{"id": "a", "path": "/x", "method": "TRACE"}]},
    ],
)
def test_what_cannot_be_is_refused(connected: App, wrong: dict[str, Any]) -> None:
    is_error(connected.try_client("s1", "http-json", **{**CLIENT, **wrong}), 400, "INVALID_CONFIGURATION")


def test_only_allowed_networks_are_reached(app: App) -> None:
    """Link-local addresses are where clouds tell machines their secrets."""
    app.instance("http-json", base_url="http://169.254.169.254")
    client = app.new_client("s1", "http-json", **CLIENT)
    shown = app.becomes(client, "ERROR")
    assert shown["error"] == "169.254.169.254 is in no network that connectors may reach"


def test_a_redirect_leads_to_no_forbidden_place_and_takes_no_secret_along(connected: App, elsewhere: Elsewhere) -> None:
    elsewhere.serve = lambda _: Reply(302, None, {"Location": "http://169.254.169.254/secrets"})
    client = connected.new_client("s1", "http-json", **CLIENT)
    assert "169.254.169.254" in connected.becomes(client, "ERROR")["error"]
    with Elsewhere().running() as other:
        other.serve = lambda _: Reply(200, ROOMS)
        elsewhere.serve = lambda _: Reply(302, None, {"Location": f"{other.url}/rooms"})
        connected.becomes(connected.new_client("s2", "http-json", **CLIENT), "STARTED", "s2", things=2)
        assert "authorization" not in other.requests[0].headers
