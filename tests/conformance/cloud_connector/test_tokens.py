"""Contract 5.15 to 5.17: a product whose connector asks for tokens, and lets one foreign page in."""

import shutil
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from websockets.exceptions import InvalidStatus

from tests.conformance.cloud_connector.client import MOUNTS, Connector, mounts, stream
from tests.conformance.cloud_connector.device import SocketDevice, dial
from tests.product import Product

pytestmark = [pytest.mark.timeout(300), pytest.mark.xdist_group("connector tokens")]

PAGE = "http://ui"


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    directory = tmp_path_factory.mktemp("closed")
    environment = {"TIDEMARK_CONNECTOR_AUTH": "token", "TIDEMARK_CONNECTOR_ORIGINS": f"{PAGE}, https://a.example:8443"}
    with Product(directory, environment=environment) as product:
        yield product
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="module")
def strangers(closed: Product) -> dict[str, Connector]:
    return mounts(closed)


@pytest.fixture(params=MOUNTS)
def stranger(request: Any, strangers: dict[str, Connector]) -> Connector:
    return strangers[request.param]


@pytest.fixture(scope="module")
def person(closed: Product) -> Connector:
    return Connector(closed.urls["connector"], bearer(closed, "operator"))


def bearer(product: Product, subject: str, *more: str, header: str = "Authorization") -> dict[str, str]:
    return {header: f"Bearer {product.run('token', '--subject', subject, *more).strip()}"}


PATHS = ("/cloud-connector/status", "/cloud-connector/status/stream", "/status", "/devices/x/show", "/connect")


@pytest.mark.parametrize("path", PATHS)
def test_nothing_is_told_without_a_token(stranger: Connector, path: str) -> None:
    answer = stranger.get(path)
    assert (answer.status_code, answer.json()) == (401, {"error": "no claims"})
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("kind", ["command", "query"])
def test_nothing_is_asked_without_a_token(stranger: Connector, kind: str) -> None:
    answer = stranger.ask(kind, "x", "on")
    assert (answer.status_code, answer.json()) == (401, {"error": "no claims"})


@pytest.mark.parametrize("authorization", ["Bearer x.y.z", "Bearer", "Basic dTpw", "x"])
def test_bad_tokens_are_worth_nothing(stranger: Connector, authorization: str) -> None:
    answer = stranger.get("/status", headers={"Authorization": authorization})
    assert answer.status_code == 401
    assert answer.json()["error"] in ("no claims", "invalid credentials")


def test_ui01_a_listed_page_needs_no_token_to_ask_whether_it_may(stranger: Connector) -> None:
    for path, method in (("/status", "GET"), ("/devices/command/x", "POST")):
        headers = {
            "Origin": PAGE,
            "Access-Control-Request-Method": method,
            "Access-Control-Request-Headers": "content-type",
        }
        answer = stranger.request("OPTIONS", path, headers=headers)
        assert (answer.status_code, answer.content) == (204, b"")
        assert answer.headers["access-control-allow-origin"] == PAGE
        assert "content-type" in answer.headers["access-control-allow-headers"].lower()


def test_ui05_a_page_can_read_that_it_needs_a_token(stranger: Connector) -> None:
    for origin in (PAGE, "https://a.example:8443", "http://localhost:5500"):
        answer = stranger.get("/status", headers={"Origin": origin})
        assert answer.status_code == 401
        assert answer.headers["access-control-allow-origin"] == origin


def test_a_person_with_a_token_is_let_in_and_on_record(closed: Product, person: Connector) -> None:
    with SocketDevice(closed.urls["connector"], "lamp", headers=bearer(closed, "lamp", header="Authentication")):
        assert person.ids() == ["lamp"]
        assert person.ask("command", "lamp", "on").json() == {"response": "R:on", "errors": ""}
        assert person.status()["connections"] == 1
        with stream(person) as status:
            assert status.response.status_code == 200
    issued = closed.run("events", "--from", "1", "--topic", "devices.command.issued", "--json")
    assert '"actor":"user:' in issued


@pytest.mark.parametrize("header", ["Authentication", "Authorization"])
def test_a_device_shows_its_own_token(closed: Product, person: Connector, header: str) -> None:
    id = f"own-{uuid4().hex[:8]}"
    with SocketDevice(closed.urls["connector"], id, headers=bearer(closed, id, header=header)):
        assert person.ask("query", id, "?").status_code == 200


def test_a_token_may_be_for_any_device(closed: Product, person: Connector) -> None:
    bridge = bearer(closed, "bridge", "--scope", "devices.connect")
    with SocketDevice(closed.urls["connector"], "bridged-1", headers=bridge):
        assert person.ask("query", "bridged-1", "?").status_code == 200


@pytest.mark.parametrize("other", ["nothing", "somebody else's", "a forged one"])
def test_other_devices_are_refused_before_the_upgrade(closed: Product, stranger: Connector, other: str) -> None:
    headers = {
        "nothing": {},
        "somebody else's": bearer(closed, "somebody"),
        "a forged one": {"Authentication": "Bearer x.y.z"},
    }[other]
    with pytest.raises(InvalidStatus) as refused, dial(stranger.url, {"Device-Id": "victim", **headers}):
        pass
    assert refused.value.response.status_code == 401
