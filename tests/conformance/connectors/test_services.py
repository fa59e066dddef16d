"""Connectors that are somebody's service (cases C65–C78): installed, instantiated with a thing made during the call,
asked, and removed."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from tests.conformance.connectors.client import MANAGE, NOBODY, READ, App, is_error
from tests.conformance.connectors.service import HUB, LAMP, Answer, ConnectorService
from tests.product import Product
from tests.waiting import eventually

PUBLICATIONS = "/connectors/publications"


@pytest.fixture
def service(product: Product) -> Iterator[ConnectorService]:
    with ConnectorService().running() as running:
        running.platform = product.api
        yield running


@pytest.fixture
def type_id() -> str:
    return f"acme-{uuid4().hex[:12]}"


def publication(service: ConnectorService, type_id: str, /, **more: Any) -> dict[str, Any]:
    return {
        "type_id": type_id,
        "name": "Acme",
        "description": "Lamps of Acme",
        "logo": "",
        "installation_url": f"{service.url}/installations",
        "instance_url": f"{service.url}/instances",
        "action_url": f"{service.url}/actions",
        "installation_parameters": [
            {"id": "api_key", "name": "API key", "required": True, "value_type": "STRING"},
            {"id": "rate", "name": "Rate", "value_type": "NUMBER"},
        ],
        **more,
    }


@pytest.fixture
def published(app: App, service: ConnectorService, type_id: str) -> App:
    """An app that has published the service."""
    answer = app.post(PUBLICATIONS, publication(service, type_id))
    assert answer.status_code == 201, answer.text
    assert set(answer.json()) == {"id", "type_id", "public_key"}
    service.public_key = answer.json()["public_key"]
    return app


@pytest.fixture
def installed(published: App, type_id: str) -> App:
    published.instance(type_id, api_key="very-secret-key", rate=5)
    return published


def makes_a_thing(service: ConnectorService, thing: Any = LAMP) -> list[str]:
    """From now on it makes a thing while it is asked to take an instance; their ids."""
    made: list[str] = []

    def take(body: Any) -> Answer:
        answer = service.call("POST", "/instances/things", body["token"], {"thing": thing})
        assert answer.status_code == 201, answer.text
        made.append(answer.json()["id"])
        told = {"value": "true", "lastUpdate": "2026-11-21T10:00:00Z"}
        path = f"/instances/things/{made[-1]}/components/lamp/properties/on"
        assert service.call("PUT", path, body["token"], told).status_code == 204
        return Answer(201)

    service.answers["POST /instances"] = take
    return made


def test_a_published_connector_is_among_the_descriptions(published: App, type_id: str) -> None:
    told = published.get(f"/connectors/descriptions/{type_id}").json()
    assert told["id"] >= 6
    assert told["sample_instance_configuration"]["connector_type_id"] == type_id
    assert set(told["sample_instance_configuration"]["configuration"]) == {"api_key", "rate"}
    assert published.get(f"/connectors/descriptions/{told['id']}").json() == told


def test_C65_an_instance_is_installed_at_the_service(published: App, service: ConnectorService, type_id: str) -> None:
    id = published.instance(type_id, api_key="k", rate=5)
    [asked] = service.heard("POST", "/installations")
    assert asked.status == 201, "the signature was accepted"
    assert asked.body == {
        "id": id,
        "token": asked.body["token"],
        "state": 1,
        "configuration": [{"id": "api_key", "value": "k"}, {"id": "rate", "value": "5"}],
    }


def test_C14_what_the_service_needs_has_to_be_given(published: App, service: ConnectorService, type_id: str) -> None:
    is_error(published.try_instance(type_id), 400, "INVALID_CONFIGURATION", "api_key: is missing")
    is_error(published.try_instance(type_id, api_key=5), 400, "INVALID_CONFIGURATION", "api_key: is no string")
    assert service.asked == []


def test_C66_a_thing_may_be_made_while_the_service_is_asked(
    installed: App, service: ConnectorService, type_id: str
) -> None:
    made = makes_a_thing(service)
    answer = installed.try_client("s1", type_id)
    assert answer.status_code == 201
    shown = installed.becomes(answer.json()["id"], "STARTED", things=1)
    assert [one["thing_id"] for one in shown["mappings"]] == made
    assert installed.property(made[0], "lamp", "on")["value"] == "true"
    [asked] = service.heard("POST", "/instances")
    assert set(asked.body) == {"id", "installation_id", "token", "state", "configuration"}
    assert asked.body["configuration"] == []


def test_C67_an_action_that_is_pending_is_settled_by_the_service(
    installed: App, service: ConnectorService, type_id: str
) -> None:
    makes_a_thing(service)
    client, thing = installed.started("s1", type_id)
    service.answers["POST /actions"] = lambda _: Answer(202, {"status": "PENDING", "error": ""})
    asked = installed.act(thing, "lamp", "setOn", {"on": "true"}).json()
    assert asked["status"] == "PENDING"
    heard = service.heard("POST", "/actions")[-1].body
    assert heard == {
        "id": asked["id"],
        "thingId": thing,
        "componentId": "lamp",
        "actionId": "setOn",
        "status": "PENDING",
        "parameters": {"on": "true"},
    }
    path, token = f"/instances/actions/requests/{asked['id']}", service.tokens[client]
    assert service.call("PUT", path, token, {"status": "DONE"}).status_code == 400
    assert service.call("PUT", path, token, {"status": "FAILED", "error": "no bulb"}).status_code == 204
    shown = installed.get(f"/actions/requests/{asked['id']}", "s1").json()
    assert (shown["status"], shown["error"]) == ("FAILED", "no bulb")
    again = service.call("PUT", path, token, {"status": "COMPLETED"})
    assert again.status_code == 400, "C73: once, from PENDING"
    assert (again.json()["status"], again.json()["error"]) == (400, "BAD_REQUEST")


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (Answer(204), "COMPLETED"),
        (Answer(200, {"status": "PENDING"}), "PENDING"),
        (Answer(202, {"status": "FAILED", "error": "no"}), "FAILED"),
        (Answer(400), "FAILED"),
        (Answer(403), "FAILED"),
        (Answer(500), "FAILED"),
    ],
)
def test_C67_what_a_service_answers_to_an_action(
    installed: App, service: ConnectorService, type_id: str, answer: Answer, status: str
) -> None:
    makes_a_thing(service)
    _, thing = installed.started("s1", type_id)
    service.answers["POST /actions"] = lambda _: answer
    assert installed.act(thing, "lamp", "setOn", {"on": "true"}).json()["status"] == status


def test_an_answer_that_comes_before_the_question_has_returned_counts(
    installed: App, service: ConnectorService, type_id: str
) -> None:
    makes_a_thing(service)
    client, thing = installed.started("s1", type_id)

    def settle_first(body: Any) -> Answer:
        path = f"/instances/actions/requests/{body['id']}"
        assert service.call("PUT", path, service.tokens[client], {"status": "COMPLETED"}).status_code == 204
        return Answer(202, {"status": "FAILED", "error": "too late"})

    service.answers["POST /actions"] = settle_first
    assert installed.act(thing, "lamp", "setOn", {"on": "true"}).json()["status"] == "COMPLETED"


def test_C68_what_is_removed_is_removed_at_the_service(published: App, service: ConnectorService, type_id: str) -> None:
    instance = published.instance(type_id, api_key="k")
    makes_a_thing(service)
    client, thing = published.started("s1", type_id)
    assert published.delete(f"/connectors/clients/{client}", "s1").status_code == 204
    assert published.delete(f"/connectors/instances/{instance}").status_code == 204
    assert [one.path for one in service.heard("DELETE")] == [f"/instances/{client}", f"/installations/{instance}"]
    assert all(one.status == 204 for one in service.heard("DELETE"))
    is_error(published.get(f"/things/{thing}", "s1"), 404, "THING_DOESNT_EXIST")


def test_C69_a_service_that_does_not_want_us(published: App, service: ConnectorService, type_id: str) -> None:
    service.answers["POST /installations"] = lambda _: Answer(403)
    is_error(published.try_instance(type_id, api_key="k"), 400, "INVALID_CONFIGURATION")
    assert published.get("/connectors/instances").json() == []
    del service.answers["POST /installations"]
    published.instance(type_id, api_key="k")
    service.answers["POST /instances"] = lambda _: Answer(401)
    published.becomes(published.new_client("s1", type_id), "ERROR")


@pytest.mark.parametrize("status", [403, 500])
def test_what_a_service_made_that_then_did_not_take_the_client_goes(
    installed: App, service: ConnectorService, type_id: str, status: int
) -> None:
    made = makes_a_thing(service)
    take = service.answers["POST /instances"]

    def make_and_refuse(body: Any) -> Answer:
        take(body)
        return Answer(status)

    service.answers["POST /instances"] = make_and_refuse
    client = installed.new_client("s1", type_id)
    assert installed.shown(client)["mappings"] == []
    is_error(installed.get(f"/things/{made[0]}", "s1"), 404, "THING_DOESNT_EXIST")
    assert installed.shown(client)["status"] == ("ERROR" if status == 403 else "STARTING")


def test_C70_a_user_who_has_to_visit_a_page_is_sent_there(
    installed: App, service: ConnectorService, type_id: str
) -> None:
    page = "https://acme.example/login"
    service.answers["POST /instances"] = lambda _: Answer(202, {"furtherStep": {"type": 3, "content": page}})
    answer = installed.try_client("s1", type_id)
    assert (answer.status_code, answer.headers["location"]) == (303, page)
    client = answer.json()["id"]
    assert installed.shown(client)["status"] == "STARTING"
    assert service.call("POST", "/instances/state", service.tokens[client], {"state": 3}).status_code == 204
    assert installed.shown(client)["status"] == "STARTING"
    assert service.call("POST", "/instances/state", service.tokens[client], {"state": 2}).status_code == 204
    installed.becomes(client, "STARTED")


@pytest.mark.parametrize("step", [{"type": 0, "content": ""}, {"type": 1, "content": "Press the button"}, None])
def test_C70_another_step_is_waited_for(installed: App, service: ConnectorService, type_id: str, step: Any) -> None:
    service.answers["POST /instances"] = lambda _: Answer(202, {"details": 5, "furtherStep": step})
    answer = installed.try_client("s1", type_id)
    assert answer.status_code == 201
    client = answer.json()["id"]
    assert installed.shown(client)["status"] == "STARTING"
    assert service.call("POST", "/instances/state", service.tokens[client], {"state": "COMPLETE"}).status_code == 204
    installed.becomes(client, "STARTED")


def test_C71_a_value_may_be_put_or_posted(installed: App, service: ConnectorService, type_id: str) -> None:
    makes_a_thing(service)
    client, thing = installed.started("s1", type_id)
    path, token = f"/instances/things/{thing}/components/lamp/properties/on", service.tokens[client]
    for method, value in (("PUT", "false"), ("POST", "true")):
        told = {"value": value, "lastUpdate": "2026-11-21T10:00:00Z"}
        answer = service.call(method, path, token, told)
        assert (answer.status_code, answer.content) == (204, b"")
        assert installed.property(thing, "lamp", "on")["value"] == value
    wrong = service.call("PUT", path.replace("/on", "/off"), token, {"value": "1"})
    assert (wrong.status_code, wrong.json()["status"]) == (404, 404)


def test_C72_a_thing_comes_and_goes_as_its_service_says(
    installed: App, service: ConnectorService, type_id: str
) -> None:
    makes_a_thing(service)
    client, thing = installed.started("s1", type_id)
    token = service.tokens[client]
    status = {"status": "UNAVAILABLE"}
    assert service.call("PUT", f"/instances/things/{thing}/status", token, status).status_code == 204
    assert installed.get(f"/things/{thing}", "s1").json()["status"] == "UNAVAILABLE"
    assert service.call("DELETE", f"/instances/things/{thing}", token).status_code == 204
    assert installed.shown(client)["mappings"] == []


def test_C74_the_things_of_another_instance_are_out_of_reach(
    installed: App, service: ConnectorService, type_id: str
) -> None:
    makes_a_thing(service)
    _, thing = installed.started("s1", type_id)
    other, _ = installed.started("s2", type_id)
    path, token = f"/instances/things/{thing}", service.tokens[other]
    calls: tuple[tuple[str, str, Any], ...] = (
        ("PUT", "/components/lamp/properties/on", {"value": "true"}),
        ("PUT", "/status", {"status": "AVAILABLE"}),
        ("DELETE", "", None),
    )
    for method, more, body in calls:
        answer = service.call(method, f"{path}{more}", token, body)
        assert (answer.status_code, answer.json()["error"]) == (404, "THING_DOESNT_EXIST")


@pytest.mark.parametrize("token", ["nonsense", "AAAA" * 16, "é".encode().hex()])
def test_C75_an_unknown_token_opens_nothing(
    installed: App, service: ConnectorService, type_id: str, token: str
) -> None:
    for method, path in (("POST", "/instances/things"), ("POST", "/instances/state"), ("POST", "/installations/state")):
        answer = service.call(method, path, token, {})
        assert answer.status_code == 401
        assert (answer.json()["error"], answer.json()["status"]) == ("UNAUTHORIZED", 401)


def test_C75_an_installation_s_token_is_none_of_an_instance(
    installed: App, service: ConnectorService, type_id: str
) -> None:
    [token] = service.tokens.values()
    assert service.call("POST", "/instances/things", token, {"thing": LAMP}).status_code == 401
    for state, status in ((2, 204), ("ONGOING", 204), (5, 400), (True, 400), (None, 400)):
        assert service.call("POST", "/installations/state", token, {"state": state}).status_code == status


def test_C78_the_same_foreign_thing_is_made_once(installed: App, service: ConnectorService, type_id: str) -> None:
    named = {**LAMP, "attributes": [{"name": "external_id", "value": "lamp-7"}]}
    made = makes_a_thing(service, named)
    client, thing = installed.started("s1", type_id)
    again = service.call("POST", "/instances/things", service.tokens[client], {"thing": {**named, "name": "Desk"}})
    assert (again.status_code, again.json()["id"], made) == (201, thing, [thing])
    assert installed.shown(client)["mappings"] == [{"connector_thing_id": "lamp-7", "thing_id": thing}]
    assert installed.get(f"/things/{thing}", "s1").json()["name"] == "Desk"


def test_C79_what_is_no_thing_is_refused(installed: App, service: ConnectorService, type_id: str) -> None:
    client = installed.new_client("s1", type_id)
    installed.becomes(client, "STARTED")
    bad = {**LAMP, "components": [{**LAMP["components"][0], "id": "bad id!"}]}
    bodies: tuple[dict[str, Any], ...] = ({"thing": bad}, {"thing": []}, {})
    for body in bodies:
        answer = service.call("POST", "/instances/things", service.tokens[client], body)
        assert (answer.status_code, answer.json()["status"]) == (400, 400)


def test_an_instance_that_fails_is_in_error_until_its_service_says_otherwise(
    installed: App, service: ConnectorService, type_id: str
) -> None:
    client = installed.new_client("s1", type_id)
    installed.becomes(client, "STARTED")
    token = service.tokens[client]
    assert service.call("POST", "/instances/state", token, {"state": 5, "details": "token expired"}).status_code == 204
    assert installed.becomes(client, "ERROR")["error"] == "token expired"
    assert service.call("POST", "/instances/state", token, {"state": 2}).status_code == 204
    installed.becomes(client, "STARTED")


def test_a_connector_is_withdrawn_when_there_is_no_instance_left(published: App, type_id: str) -> None:
    [href] = [one["href"] for one in published.get(PUBLICATIONS).json()]
    path = href.split("/api/v1")[1]
    assert published.get(path).json()["type_id"] == type_id
    instance = published.instance(type_id, api_key="k")
    is_error(published.delete(path), 409, "CONNECTOR_PUBLICATION_IN_USE")
    assert published.delete(f"/connectors/instances/{instance}").status_code == 204
    assert published.delete(path).status_code == 204
    is_error(published.get(f"/connectors/descriptions/{type_id}"), 404, "CONNECTOR_DESCRIPTION_DOESNT_EXIST")
    is_error(published.try_instance(type_id, api_key="k"), 400, "UNKNOWN_CONNECTOR_TYPE")


def test_a_publication_is_its_owner_s_alone(published: App, product: Product) -> None:
    [href] = [one["href"] for one in published.get(PUBLICATIONS).json()]
    path, other = href.split("/api/v1")[1], App(product)
    is_error(other.get(path), 404, "CONNECTOR_PUBLICATION_DOESNT_EXIST")
    is_error(other.delete(path), 404, "CONNECTOR_PUBLICATION_DOESNT_EXIST")
    assert other.get(PUBLICATIONS).json() == []
    is_error(App(product, READ).get(PUBLICATIONS), 403, "FORBIDDEN")
    is_error(other.delete(f"{PUBLICATIONS}/{NOBODY}"), 404, "CONNECTOR_PUBLICATION_DOESNT_EXIST")


def test_a_type_is_published_once(published: App, service: ConnectorService, type_id: str, product: Product) -> None:
    other = App(product, MANAGE)
    is_error(other.post(PUBLICATIONS, publication(service, type_id)), 409, "CONNECTOR_TYPE_EXISTS")
    is_error(other.post(PUBLICATIONS, publication(service, "simulator")), 409, "CONNECTOR_TYPE_EXISTS")


@pytest.mark.parametrize(
    "wrong",
    [
        {"type_id": ""},
        {"type_id": "With Spaces"},
        {"installation_url": "ftp://127.0.0.1/x"},
        {"installation_url": ""},
        {"action_url": "http://acme.example/actions"},
        {"action_url": "https://user:secret@acme.example/actions"},
        {"instance_parameters": {}},
        {"instance_parameters": [{"id": "a"}, {"id": "a"}]},
        {"instance_parameters": [{"id": "a", "value_type": "DATE"}]},
        {"instance_parameters": [{"id": "a", "validation_expression": "("}]},
        {"instance_parameters": [{"id": "a", "required": "yes"}]},
    ],
)
def test_what_cannot_be_published_is_refused(app: App, service: ConnectorService, type_id: str, wrong: Any) -> None:
    is_error(app.post(PUBLICATIONS, publication(service, type_id, **wrong)), 400, "BAD_REQUEST")
    assert app.get(PUBLICATIONS).json() == []


def test_what_the_service_is_configured_with_and_called_with_is_told_to_nobody(
    installed: App, service: ConnectorService, type_id: str, product: Product
) -> None:
    makes_a_thing(service)
    installed.started("s1", type_id)
    told = product.run("events", "--json", "--from", "1", "--topic", "connectors.")
    for secret in ("very-secret-key", *service.tokens.values()):
        assert secret not in told
        assert secret not in product.log(10_000)


def test_the_hub_speaks_its_own_form_of_errors(service: ConnectorService) -> None:
    answer = service.call("PUT", f"/instances/things/{NOBODY}/status", "nonsense", {"status": "AVAILABLE"})
    assert answer.status_code == 401
    assert answer.json() == {
        "error": "UNAUTHORIZED",
        "description": "Your token or credentials can't be verified",
        "status": 401,
    }
    assert HUB in str(answer.request.url)


def test_a_service_that_is_away_is_asked_again_by_nobody_s_request(
    published: App, service: ConnectorService, type_id: str
) -> None:
    """The instance is there, and its service hears of it when it answers."""
    service.answers["POST /installations"] = lambda _: Answer(500)
    assert published.try_instance(type_id, api_key="k").status_code == 201
    client = published.new_client("s1", type_id)
    published.becomes(client, "STARTED")
    eventually(lambda: len(service.heard("POST", "/installations")) == 1)
