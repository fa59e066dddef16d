"""What an owner configures (cases C6–C24, C64)."""

import json
from uuid import UUID

import httpx
import pytest

from tests.conformance.connectors.client import MANAGE, NOBODY, READ, App, hrefs, is_error
from tests.product import Product

PATH = "/connectors/instances"


def test_C6_an_instance_is_created_with_a_bare_token(product: Product) -> None:
    answer = App(product, bare=True).try_instance()
    assert answer.status_code == 201
    assert set(answer.json()) == {"id"}
    assert str(UUID(answer.json()["id"])) == answer.json()["id"]
    assert answer.headers["location"] == f"{product.api}/api/v1{PATH}/{answer.json()['id']}"


def test_C7_or_with_the_word_bearer_before_it_in_any_case(product: Product) -> None:
    app = App(product)
    app.client.headers["authorization"] = app.client.headers["authorization"].replace("Bearer", "bEARER")
    assert app.try_instance().status_code == 201


def test_C8_of_one_type_there_is_one(with_instance: App) -> None:
    is_error(
        with_instance.try_instance(),
        409,
        "CONNECTOR_INSTANCE_EXISTS",
        "An instance for this connector type already exists",
    )
    assert len(hrefs(with_instance.get(PATH))) == 1


def test_C9_another_owner_may_have_one_too(with_instance: App, product: Product) -> None:
    assert App(product).try_instance().status_code == 201


def test_C10_without_a_token_there_is_nothing(stranger: httpx.Client) -> None:
    for method, path in (("GET", PATH), ("POST", PATH), ("GET", f"{PATH}/{NOBODY}"), ("DELETE", f"{PATH}/{NOBODY}")):
        answer = stranger.request(method, path)
        is_error(answer, 401, "UNAUTHORIZED", "Your token or credentials can't be verified")
        assert answer.headers["www-authenticate"] == "Bearer"
    is_error(stranger.get(PATH, headers={"Authorization": "Bearer nonsense"}), 401, "UNAUTHORIZED")


def test_C11_a_token_needs_the_scope(product: Product) -> None:
    reader = App(product, READ)
    is_error(reader.try_instance(), 403, "FORBIDDEN")
    is_error(reader.get(PATH), 403, "FORBIDDEN")


def test_C12_the_body_is_told_to_be_json(app: App) -> None:
    body = json.dumps({"connector_type_id": "simulator"})
    for headers in ({}, {"Content-Type": "text/plain"}):
        is_error(app.request("POST", PATH, content=body, headers=headers), 400, "BAD_CONTENT_TYPE")
    said = {"Content-Type": "Application/JSON; charset=utf-8"}
    assert app.request("POST", PATH, content=body, headers=said).status_code == 201


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ("{}", "MISSING_CONNECTOR_TYPE"),
        ('{"connector_type_id":5}', "MISSING_CONNECTOR_TYPE"),
        ('{"connector_type_id":""}', "MISSING_CONNECTOR_TYPE"),
        ("[]", "INVALID_JSON_BODY"),
        ("hello", "INVALID_JSON_BODY"),
        ("", "INVALID_JSON_BODY"),
        ('{"connector_type_id":"simulator","configuration":[]}', "INVALID_CONFIGURATION"),
        ('{"connector_type_id":"warp-drive"}', "UNKNOWN_CONNECTOR_TYPE"),
        ('{"connector_type_id":"simulator","configuration":{"tick_ms":"soon"}}', "INVALID_CONFIGURATION"),
        ('{"connector_type_id":"simulator","configuration":{"tick_ms":1}}', "INVALID_CONFIGURATION"),
        ('{"connector_type_id":"simulator","configuration":{"consent":1}}', "INVALID_CONFIGURATION"),
        ('{"connector_type_id":"simulator","configuration":{"fail":"often"}}', "INVALID_CONFIGURATION"),
    ],
)
def test_C13_what_cannot_be_understood_is_refused_and_not_kept(app: App, body: str, word: str) -> None:
    answer = app.request("POST", PATH, content=body, headers={"Content-Type": "application/json"})
    is_error(answer, 400, word)
    assert hrefs(app.get(PATH)) == []


def test_C13_a_refused_setting_is_named(app: App) -> None:
    answer = app.try_instance(tick_ms=1)
    is_error(answer, 400, "INVALID_CONFIGURATION", "tick_ms: is not between 50 and 3.6e+06")


def test_C15_settings_that_nobody_knows_are_passed_over(app: App) -> None:
    assert app.try_instance(colour="red").status_code == 201


def test_C16_the_own_instances_are_listed_the_oldest_first(with_instance: App, product: Product) -> None:
    listed = hrefs(with_instance.get(PATH))
    assert len(listed) == 1
    assert listed[0].startswith(f"{product.api}/api/v1{PATH}/")


def test_C17_without_one_the_list_is_empty(app: App) -> None:
    answer = app.get(PATH)
    assert (answer.status_code, answer.json()) == (200, [])


def test_C18_another_owner_sees_his_own_only(with_instance: App, product: Product) -> None:
    assert hrefs(App(product).get(PATH)) == []


def test_C19_an_address_in_an_answer_leads_there(with_instance: App) -> None:
    [href] = hrefs(with_instance.get(PATH))
    shown = with_instance.client.get(href)
    assert shown.status_code == 200
    assert with_instance.client.get(shown.json()["connector"]["href"]).json()["type_id"] == "simulator"


def test_C20_an_instance_is_shown_without_its_configuration(app: App, product: Product) -> None:
    id = app.instance(seed=4711)
    answer = app.get(f"{PATH}/{id}")
    assert answer.status_code == 200
    assert answer.json() == {
        "id": id,
        "clients": [],
        "connector": {"href": f"{product.api}/api/v1/connectors/descriptions/1"},
    }
    assert "4711" not in answer.text


@pytest.mark.parametrize("id", [NOBODY, "1", "nonsense", "%00"])
def test_C22_what_is_not_there_is_not_found(app: App, id: str) -> None:
    is_error(app.get(f"{PATH}/{id}"), 404, "CONNECTOR_INSTANCE_DOESNT_EXIST")
    is_error(app.delete(f"{PATH}/{id}"), 404, "CONNECTOR_INSTANCE_DOESNT_EXIST")


def test_C23_nor_is_what_belongs_to_somebody_else(app: App, product: Product) -> None:
    id, other = app.instance(), App(product)
    is_error(other.get(f"{PATH}/{id}"), 404, "CONNECTOR_INSTANCE_DOESNT_EXIST")
    is_error(other.delete(f"{PATH}/{id}"), 404, "CONNECTOR_INSTANCE_DOESNT_EXIST")
    assert app.get(f"{PATH}/{id}").status_code == 200


def test_C24_a_removed_instance_may_be_made_again(app: App) -> None:
    id = app.instance()
    answer = app.delete(f"{PATH}/{id}")
    assert (answer.status_code, answer.content) == (204, b"")
    is_error(app.get(f"{PATH}/{id}"), 404, "CONNECTOR_INSTANCE_DOESNT_EXIST")
    assert app.instance() != id


def test_C64_an_instance_is_not_replaced(app: App) -> None:
    id = app.instance()
    answer = app.request("PUT", f"{PATH}/{id}", json={})
    is_error(answer, 405, "METHOD_NOT_ALLOWED")
    assert answer.headers["allow"] == "DELETE, GET"


def test_a_secret_is_neither_shown_nor_told_to_subscribers(app: App, product: Product) -> None:
    """Whatever is configured stays in the log; what is secret is encrypted there too."""
    app.instance(seed=31337)
    printed = product.run("events", "--json", "--from", "1", "--topic", "connectors.instance.created")
    created = [json.loads(line) for line in printed.splitlines()]
    assert created
    assert "31337" not in json.dumps(created)


def test_the_scope_of_one_token_is_not_that_of_another(product: Product) -> None:
    assert App(product, MANAGE).try_instance().status_code == 201
