"""Somebody is forgotten: nothing that can be read of the product says who it was, and the log is as it was."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from domain.identifiers import user_id
from tests.conformance.audit.client import Auditor, Person, bearer, fresh
from tests.conformance.connectors.client import ACT, MANAGE, READ, App
from tests.conformance.connectors.test_things import LAMP
from tests.conformance.privacy.walk import Walk, naming
from tests.conformance.streams.client import Streams
from tests.product import Product, run_tidemark
from tests.waiting import eventually

pytestmark = [pytest.mark.timeout(300), pytest.mark.xdist_group("forgetting")]

SUBJECT, USERNAME, ADDRESS = "Charles.Babbage", "Ada.Lovelace", "ada@ockham.example"
NAMES = ("babbage", "lovelace", "ockham")
PASSWORD = "analytical-1843"
SCOPES = ("audit.read", "analytics.read", "persons.forget", "connctd.subjects.read", MANAGE, READ, ACT)

# Nothing of the kind is there: nobody asked for an action or has to agree to anything, no device is connected, nothing
# was published. Another is a door for WebSockets, and one says with 405 what it is for.
NOT_SHOWN = {
    "GET /api/v1/actions/requests/{request}",
    "GET /api/v1/connectors/consent/{code}",
    "GET /api/v1/connectors/publications/{publication}",
    "GET /connector/connect",
    "GET /connector/devices/{device}/show",
    "GET /streams/v1/topic/{topic}/messages",
}

# Where persons are named before they are forgotten, and named otherwise afterwards.
NAMING = {
    "GET /api/v1/subjects",
    "GET /audit/events",
    "GET /audit/events/{position}",
    "GET /audit/trace/{correlation}",
    "GET /audit/{context}/{id}/history",
    "table users",
    "table connector_clients",
    "table things",
}


class House:
    """What two persons do, and a walk through all that is known of it."""

    def __init__(self, product: Product) -> None:
        self.product = product
        self.correlation = fresh("conversation")
        headers = {"X-Correlation-Id": self.correlation}
        self.http = httpx.Client(base_url=product.api, headers=headers, timeout=30, trust_env=False)
        account = {"username": USERNAME, "password": PASSWORD, "email": ADDRESS}
        self.user = self._made("/register", account)["id"]
        self.http.post("/login", json={**account, "password": "wrong-password"})
        token = self._made("/login", account, 200)["token"]
        self.http.headers["Authorization"] = f"Bearer {token}"
        self.device = self._made("/devices", {"name": "Room", "description": "d", "location": "l", "status_id": 1})[
            "id"
        ]
        part = {"name": "Part", "type": "t", "data_type_id": 1, "device_id": self.device}
        self.sensor, self.actor = self._made("/sensors", part)["id"], self._made("/actors", part)["id"]
        self.reading = self._made("/sensor-readings", {"sensor_id": self.sensor, "value": 1})["id"]
        report = {"name": "load", "value": 1, "type": "int32", "units": "u", "slope": "both", "ttl": 99}
        assert self.http.put(f"/mrd/{self.device}/metrics", json=report).status_code == 200
        assert self.http.post("/streams/v1/topic/house/messages", json=1).status_code == 200
        self.group = fresh("group")
        Streams(product, self.http.headers).joined(fresh("consumer"), self.group, "house")
        self.app = App(product, *SCOPES)
        self.headers = bearer(product, self.app.name, *SCOPES)
        self.instance = self.app.instance()
        self.client, self.thing = self.app.started(SUBJECT)
        self.entered = self.app.post("/things", LAMP, SUBJECT).json()["id"]

    def remove(self) -> None:
        """What there is for the subject."""
        for path in (f"/connectors/clients/{self.client}", f"/things/{self.entered}"):
            assert self.app.delete(path, SUBJECT).status_code in (200, 204)

    def forget(self, **whom: str) -> httpx.Response:
        with httpx.Client(base_url=self.product.api, headers=self.headers, timeout=30, trust_env=False) as http:
            return http.post("/privacy/forget", json=whom)

    def walk(self, *moments: str) -> Walk:
        things = [self.thing, self.entered]
        known = {
            "user": [self.user],
            "client": [self.client],
            "instance": [self.instance],
            "correlation": [self.correlation],
            "position": ["1", "2", "5"],
            "context": ["identity", "connectors", "devices"],
            "analysis": ["busiest-actors", "connector-stability", "message-rates"],
            "name": ["load"],
            "duration": ["hour"],
            "start": ["0"],
            "end": ["4000000000"],
            "component": ["lamp", "thermometer"],
            "property": ["level", "temperature"],
            "topic": ["house"],
            "group": [self.group],
            "description": ["simulator"],
            "thing": things,
            "device": [self.device],
        }
        ids = [self.user, self.device, self.sensor, self.actor, str(self.reading), self.client, *things]
        return Walk(self.product, self.headers, subjects=[SUBJECT], ids=ids, known=known, moments=moments)

    def _made(self, path: str, body: dict[str, Any], status: int = 201) -> Any:
        answer = self.http.post(path, json=body)
        assert answer.status_code == status, answer.text
        return answer.json()


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with Product(tmp_path_factory.mktemp("forgetting"), environment={"TIDEMARK_PROOF_SECONDS": "1"}) as product:
        house = House(product)
        auditor = Auditor(product)
        eventually(lambda: auditor.get("/proof/5").status_code == 200, seconds=30)
        yield house


def test_nobody_is_named_anywhere_after_he_was_forgotten(house: House, tmp_path: Path) -> None:
    before = list(house.walk().everywhere(tmp_path))
    shown = {place for place, status, _ in before if status in (0, 200, 204)}
    assert {place for place, _, _ in before} - shown == NOT_SHOWN, "the walk comes to everything else"
    assert {place for place, _ in naming(before, NAMES)} >= NAMING, "and finds names where there are any"
    head = int(house.http.get("/devices").headers["tidemark-position"])
    house.remove()
    forgotten = []
    for whom in ({"username": USERNAME.upper()}, {"subject": SUBJECT}):
        answer = house.forget(**whom)
        assert answer.status_code == 200, answer.text
        forgotten.append(answer.json()["shown_as"])
    assert all(re.fullmatch("forgotten-[0-9a-f]{16}", name) for name in forgotten)
    after = list(house.walk("1", str(head // 2), str(head)).everywhere(tmp_path))
    assert Counter(naming(after, NAMES)) == Counter()
    assert {place for place, _ in naming(after, forgotten)} >= NAMING
    house.product.run("rebuild", "all")
    rebuilt = list(house.walk().but_through_the_command_line(tmp_path))
    assert {place for place, _ in naming(rebuilt, forgotten)} >= NAMING
    assert Counter(naming(rebuilt, NAMES)) == Counter()


def test_the_log_is_proved_as_it_was(house: House) -> None:
    person = Person(house.product)
    head = int(person.http.get("/devices").headers["tidemark-position"])
    eventually(lambda: signed_up_to(house) >= head, seconds=30)
    position = house.forget(username=person.name).json()["position"]
    eventually(lambda: signed_up_to(house) >= position, seconds=30)


def signed_up_to(house: House) -> int:
    """To where the log is what was signed; `verify` fails where it is not."""
    told = re.search(r"is as it was signed up to position (\d+)", house.product.run("verify"))
    assert told
    return int(told[1])


def test_who_was_forgotten_is_locked_out_and_his_name_stays_taken(house: House) -> None:
    person = Person(house.product)
    assert house.forget(username=person.name).status_code == 200
    assert person.http.post("/login", json=person.credentials).status_code == 401
    assert person.http.post("/register", json=person.credentials).status_code == 409
    eventually(lambda: person.http.post("/devices", json={}).status_code == 401)
    told = run_tidemark("user", "enable", person.name, "--data-dir", str(house.product.data_dir), fails=True)
    assert "There is no user" in told


def test_to_forget_twice_is_to_forget_once(house: House) -> None:
    person = Person(house.product)
    once, again = house.forget(username=person.name), house.forget(username=person.name)
    assert (once.status_code, again.status_code) == (200, 200)
    assert set(once.json()) == {"shown_as", "position"}
    assert again.json() == {"shown_as": once.json()["shown_as"]}


def test_the_audit_says_who_forgot_somebody_and_not_whom(house: House) -> None:
    person = Person(house.product)
    position = house.forget(username=person.name).json()["position"]
    event = Auditor(house.product).json(f"/events/{position}")
    assert (event["topic"], event["aggregate_id"]) == ("identity.user.forgotten.v1", str(person.id))
    assert event["actor"] == f"user:{user_id(house.app.name)}"
    assert set(event["data"]) == {"person"}
    (registered,) = Auditor(house.product).events(event="identity.user.registered", id=str(person.id))
    assert registered["data"] == event["data"]


def test_a_subject_that_is_served_is_not_forgotten(house: House) -> None:
    subject = fresh("subject")
    client, thing = house.app.started(subject)
    entered = house.app.post("/things", LAMP, subject).json()["id"]
    refused = house.forget(subject=subject)
    assert (refused.status_code, refused.json()["code"]) == (409, "connectors.subject_served")
    assert refused.json()["clients"] == [client]
    assert {thing, entered} <= set(refused.json()["things"])
    told = run_tidemark(
        *("forget", "subject", subject, "--owner", house.app.name, "--yes"),
        *("--data-dir", str(house.product.data_dir)),
        fails=True,
    )
    assert f"client {client}" in told
    assert house.app.shown(client, subject)["status"] == "STARTED"


def test_a_subject_comes_back_as_somebody_else(house: House) -> None:
    subject = fresh("subject")

    def serve() -> None:
        thing = house.app.post("/things", LAMP, subject).json()["id"]
        assert house.app.delete(f"/things/{thing}", subject).status_code == 200

    serve()
    first = house.forget(subject=subject, owner=str(user_id(house.app.name))).json()["shown_as"]
    serve()
    told = house.product.run("forget", "subject", subject, "--owner", house.app.name, "--yes")
    second = told.split("shown as ")[1].strip().rstrip(".")
    assert first != second
    hrefs = [one["href"] for one in house.app.get("/subjects").json()]
    assert [name for name in (first, second, subject) if any(href.endswith(f"/{name}") for href in hrefs)] == [
        first,
        second,
    ]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"username": "nobody-at-all"}, 404, "identity.user_not_found"),
        ({"username": "a\0b"}, 404, "identity.user_not_found"),
        ({"subject": "nobody-at-all"}, 404, "connectors.subject_not_found"),
        ({"subject": "s", "owner": "00000000-0000-4000-8000-000000000000"}, 404, "connectors.subject_not_found"),
        ({}, 400, "bad_request"),
        ({"username": "a", "subject": "b"}, 400, "bad_request"),
        ({"username": "a", "owner": "00000000-0000-4000-8000-000000000000"}, 400, "bad_request"),
        ({"subject": "s", "owner": "me"}, 400, "bad_request"),
        ({"username": 1}, 400, "bad_request"),
        ({"user": "a"}, 400, "bad_request"),
        ([], 400, "bad_request"),
    ],
)
def test_who_cannot_be_forgotten(house: House, body: Any, status: int, code: str) -> None:
    answer = httpx.post(f"{house.product.api}/privacy/forget", json=body, headers=house.headers)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_who_may_not_forget(house: House) -> None:
    person = Person(house.product)
    url, whom = f"{house.product.api}/privacy/forget", {"username": person.name}
    assert httpx.post(url, json=whom).status_code == 401
    assert httpx.post(url, json=whom, headers={"Authorization": "Bearer x"}).status_code == 401
    refused = httpx.post(url, json=whom, headers=person.http.headers)
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    assert "persons.forget" in refused.json()["message"]
    assert person.http.post("/login", json=person.credentials).status_code == 200
    (event,) = Auditor(house.product).events(event="identity.access.refused", actor=f"user:{person.id}")
    assert event["data"]["route"] == "/privacy/forget"


def test_the_command_line_forgets_a_user_and_asks_before(house: House) -> None:
    person = Person(house.product)
    where = ("--data-dir", str(house.product.data_dir))
    told = run_tidemark("forget", "user", person.name, *where, stdin="n\n", fails=True)
    assert "Nobody can undo this" in told
    assert person.http.post("/login", json=person.credentials).status_code == 200
    told = run_tidemark("forget", "user", person.name, *where, stdin="y\n")
    assert "shown as forgotten-" in told
    assert person.http.post("/login", json=person.credentials).status_code == 401
    assert "There is no such user" in run_tidemark("forget", "user", "nobody-here", "--yes", *where, fails=True)
