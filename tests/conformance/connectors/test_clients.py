"""The running pieces of an owner's subjects (cases C25–C59)."""

from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import httpx
import pytest

from tests.conformance.connectors.client import NOBODY, READ, App, hrefs, is_error
from tests.product import Product
from tests.waiting import eventually

PATH = "/connectors/clients"


def test_C25_a_client_is_created_under_both_names_of_its_id(with_instance: App, product: Product) -> None:
    answer = with_instance.try_client("s1")
    assert answer.status_code == 201
    assert set(answer.json()) == {"id", "client_id"}
    id = answer.json()["id"]
    assert str(UUID(id)) == id == answer.json()["client_id"]
    assert answer.headers["location"] == f"{product.api}/api/v1{PATH}/{id}"


def test_C26_of_one_type_a_subject_has_one(with_instance: App) -> None:
    with_instance.new_client("s1")
    is_error(with_instance.try_client("s1"), 409, "CONNECTOR_CLIENT_EXISTS")
    assert len(hrefs(with_instance.get(PATH, "s1"))) == 1


def test_C27_another_subject_has_one_too(with_instance: App) -> None:
    assert with_instance.new_client("s1") != with_instance.new_client("s2")
    assert with_instance.try_client("S1").status_code == 201, "subjects are compared exactly"


def test_C28_without_an_instance_there_is_no_client(app: App) -> None:
    is_error(app.try_client(), 400, "NO_CONNECTOR_INSTANCE", "There is no connector instance for this type")
    is_error(app.try_client("s1", "warp-drive"), 400, "NO_CONNECTOR_INSTANCE")


def test_C29_it_has_to_be_said_for_whom_it_is(with_instance: App) -> None:
    body = {"connector_type_id": "simulator"}
    is_error(with_instance.post(PATH, body), 400, "MISSING_SUBJECT", "Header X-External-Subject-Id is missing")
    for path in (PATH, f"{PATH}/{NOBODY}"):
        is_error(with_instance.get(path), 400, "MISSING_SUBJECT")


def test_C30_the_header_may_be_written_in_any_case(with_instance: App) -> None:
    answer = with_instance.post(PATH, {"connector_type_id": "simulator"}, headers={"X-External-Subject-ID": "s1"})
    assert answer.status_code == 201
    assert len(hrefs(with_instance.get(PATH, "s1"))) == 1


def test_C31_a_client_needs_no_configuration(with_instance: App) -> None:
    assert with_instance.post(PATH, {"connector_type_id": "simulator"}, "s1").status_code == 201


def test_C32_nor_is_one_made_without_a_token_that_permits_it(product: Product, stranger: httpx.Client) -> None:
    is_error(App(product, READ).try_client(), 403, "FORBIDDEN")
    is_error(stranger.post(PATH, json={}), 401, "UNAUTHORIZED")


def test_C33_what_cannot_be_configured_so_is_refused(with_instance: App) -> None:
    is_error(with_instance.try_client(things=101), 400, "INVALID_CONFIGURATION", "things: is not between 0 and 100")
    is_error(with_instance.try_client(kind="toaster"), 400, "INVALID_CONFIGURATION")
    assert hrefs(with_instance.get(PATH, "s1")) == []


def test_C34_a_subject_without_any_has_an_empty_list(with_instance: App) -> None:
    answer = with_instance.get(PATH, "s3")
    assert (answer.status_code, answer.json()) == (200, [])


def test_C35_an_instance_shows_its_clients_over_all_subjects(app: App) -> None:
    instance = app.instance()
    clients = [app.new_client("s1"), app.new_client("s2")]
    shown = app.get(f"/connectors/instances/{instance}").json()["clients"]
    assert [one["href"].rsplit("/", 1)[1] for one in shown] == clients
    is_error(app.delete(f"/connectors/instances/{instance}"), 409, "CONNECTOR_INSTANCE_IN_USE")
    assert app.get(f"/connectors/instances/{instance}").status_code == 200


def test_C36_a_client_shows_what_it_belongs_to(app: App, product: Product) -> None:
    instance = app.instance()
    id = app.new_client("s1")
    shown = app.shown(id)
    base = f"{product.api}/api/v1/connectors"
    assert set(shown) == {"id", "instance", "connector", "mappings", "status"}
    assert (shown["id"], shown["instance"], shown["connector"]) == (
        id,
        {"href": f"{base}/instances/{instance}"},
        {"href": f"{base}/descriptions/1"},
    )


def test_C37_C38_it_starts_and_makes_its_things(with_instance: App) -> None:
    id = with_instance.new_client("s1", things=2)
    shown = with_instance.becomes(id, "STARTED", things=2)
    assert [set(one) for one in shown["mappings"]] == [{"connector_thing_id", "thing_id"}] * 2
    assert {one["connector_thing_id"] for one in shown["mappings"]} == {"sim-1", "sim-2"}


def test_C40_its_things_are_seen_by_its_subject_alone(with_instance: App, product: Product) -> None:
    _, thing = with_instance.started("s1")
    assert [href.rsplit("/", 1)[1] for href in hrefs(with_instance.get("/things", "s1"))] == [thing]
    assert hrefs(with_instance.get("/things", "s2")) == []
    assert hrefs(App(product).get("/things", "s1")) == []
    is_error(with_instance.get(f"/things/{thing}", "s2"), 404, "THING_DOESNT_EXIST")
    is_error(App(product).get(f"/things/{thing}", "s1"), 404, "THING_DOESNT_EXIST")


def test_C41_C42_a_client_is_found_by_its_own_subject_and_owner_only(with_instance: App, product: Product) -> None:
    id = with_instance.new_client("s1")
    for stranger, subject in ((with_instance, "s2"), (App(product), "s1")):
        is_error(stranger.get(f"{PATH}/{id}", subject), 404, "CONNECTOR_CLIENT_DOESNT_EXIST")
        is_error(stranger.delete(f"{PATH}/{id}", subject), 404, "CONNECTOR_CLIENT_DOESNT_EXIST")
    assert with_instance.get(f"{PATH}/{id}", "s1").status_code == 200


def test_C43_to_C47_a_client_goes_with_everything_it_made_and_may_come_again(app: App) -> None:
    instance = app.instance(tick_ms=100)
    id, thing = app.started()
    answer = app.delete(f"{PATH}/{id}", "s1")
    assert (answer.status_code, answer.content) == (204, b"")
    is_error(app.get(f"/things/{thing}", "s1"), 404, "THING_DOESNT_EXIST", "The requested Thing doesn't exist")
    assert hrefs(app.get("/things", "s1")) == []
    assert app.client.get(f"{app.product.api}/devices/{thing}").status_code == 404, "its device is gone too"
    is_error(app.get(f"{PATH}/{id}", "s1"), 404, "CONNECTOR_CLIENT_DOESNT_EXIST")
    is_error(app.delete(f"{PATH}/{id}", "s1"), 404, "CONNECTOR_CLIENT_DOESNT_EXIST")
    again = app.new_client("s1")
    assert again != id
    assert app.becomes(again, "STARTED", things=1)["mappings"][0]["thing_id"] != thing
    assert app.delete(f"{PATH}/{again}", "s1").status_code == 204
    assert app.delete(f"/connectors/instances/{instance}").status_code == 204


def test_C49_C50_when_a_thing_will_not_go_the_client_stays_until_it_is_asked_again(app: App) -> None:
    app.instance(tick_ms=100)
    id = app.new_client("s1", fail="removal", kind="meter")
    things = {one["connector_thing_id"]: one["thing_id"] for one in app.becomes(id, "STARTED", things=2)["mappings"]}
    is_error(app.delete(f"{PATH}/{id}", "s1"), 500, "THING_REMOVAL_FAILED")
    shown = app.shown(id)
    assert shown["status"] == "STARTED"
    assert {one["thing_id"] for one in shown["mappings"]} == set(things.values())
    before = app.property(things["sim-1"], "meter", "energy")["lastUpdate"]
    eventually(lambda: app.property(things["sim-1"], "meter", "energy")["lastUpdate"] > before)
    switched = app.act(things["sim-control"], "control", "setFail", {"fail": "none"})
    assert (switched.status_code, switched.json()["status"]) == (201, "COMPLETED")
    assert app.delete(f"{PATH}/{id}", "s1").status_code == 204
    assert hrefs(app.get("/things", "s1")) == []


def test_C51_to_C55_a_client_whose_user_has_to_agree_starts_when_he_has(app: App, product: Product) -> None:
    app.instance(consent=True, tick_ms=100)
    answer = app.try_client("s1")
    assert answer.status_code == 303
    page, id = answer.headers["location"], answer.json()["id"]
    assert page.startswith(f"{product.api}/api/v1/connectors/consent/")
    shown = app.shown(id)
    assert (shown["status"], shown["mappings"]) == ("STARTING", [])
    is_error(app.try_client("s1"), 409, "CONNECTOR_CLIENT_EXISTS")
    browser = httpx.Client(timeout=30, trust_env=False)
    form = browser.get(page)
    assert form.status_code == 200
    assert form.headers["content-type"] == "text/html; charset=utf-8"
    assert form.text.count("<button") == 2
    assert browser.post(page, data={"decision": "accept"}).status_code == 200
    app.becomes(id, "STARTED", things=1)
    assert browser.get(page).status_code == 410, "it works once"


def test_C54_a_client_whose_user_refuses_is_in_error(app: App) -> None:
    app.instance(consent=True)
    answer = app.try_client("s1")
    refused = httpx.post(answer.headers["location"], data={"decision": "refuse"}, timeout=30, trust_env=False)
    assert refused.status_code == 200
    assert app.becomes(answer.json()["id"], "ERROR")["mappings"] == []


def test_C56_a_client_that_fails_at_its_start_is_in_error_until_it_does_not(with_instance: App) -> None:
    id = with_instance.new_client("s1", fail="start")
    failed = with_instance.becomes(id, "ERROR", things=1)
    [control] = [one["thing_id"] for one in failed["mappings"]]
    assert with_instance.act(control, "control", "setFail", {"fail": "none"}).json()["status"] == "COMPLETED"
    with_instance.becomes(id, "STARTED", things=2)


def test_C57_a_flaky_client_comes_back_each_time(app: App) -> None:
    app.instance(tick_ms=50, fail="flaky")
    id = app.new_client("s1")
    for status in ("STARTED", "ERROR", "STARTED"):
        app.becomes(id, status)
    assert len(app.shown(id)["mappings"]) == 2, "the same things all the time"


def test_C59_of_two_identical_requests_at_once_one_succeeds(with_instance: App) -> None:
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: with_instance.try_client("s1").status_code, range(8)))
    assert sorted(answers) == [201, *[409] * 7]
    assert len(hrefs(with_instance.get(PATH, "s1"))) == 1


def test_the_subjects_of_an_owner_are_listed(with_instance: App) -> None:
    with_instance.new_client("s1")
    with_instance.new_client("s 2")
    assert [href.rsplit("/", 1)[1] for href in hrefs(with_instance.get("/subjects"))] == ["s%202", "s1"]


@pytest.mark.parametrize("path", ["/connectors", "/connectors/clients/1/2", "/nothing"])
def test_what_is_at_no_address_is_not_found_in_this_contract_s_words(app: App, path: str) -> None:
    is_error(app.get(path), 404, "NOT_FOUND")
