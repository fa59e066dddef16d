"""What was answered at a moment is answered as of that moment for ever after."""

import random
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from entrypoints.lambda_iot.openapi.document import AS_OF, document
from tests.conformance.audit.client import Person, bearer, fresh
from tests.conformance.connectors.client import App
from tests.conformance.connectors.test_things import LAMP, LEVEL
from tests.conformance.streams.client import Streams
from tests.fleet import MqttDevice
from tests.product import Product
from tests.waiting import eventually

pytestmark = pytest.mark.xdist_group("as of")

STEPS = 40
DEVICE = {"name": "Room", "description": "d", "location": "l", "status_id": 1}
PART = {"name": "Temperature", "type": "temp", "data_type_id": 1}


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """One where nothing happens but what the test does."""
    with Product(tmp_path_factory.mktemp("quiet")) as running:
        yield running


@pytest.fixture(scope="module")
def person(quiet: Product) -> Person:
    return Person(quiet)


class History:
    """What a person does at random, and what every route says after each step."""

    def __init__(self, http: httpx.Client, chance: random.Random) -> None:
        self.http = http
        self.chance = chance
        self.ids: dict[str, list[str]] = {"devices": [], "sensors": [], "actors": [], "sensor-readings": []}
        self.position = 0
        self.said: list[tuple[int, datetime, dict[str, Any]]] = []

    def step(self) -> None:
        chance, ids = self.chance, self.ids
        what = chance.choice(["device", "part", "reading", "reading", "ask", "change", "correct", "remove", "withdraw"])
        if what == "device" or not ids["devices"]:
            self._make("devices", {**DEVICE, "external_id": uuid4().hex})
        elif what == "part":
            self._make(chance.choice(["sensors", "actors"]), {**PART, "device_id": chance.choice(ids["devices"])})
        elif what == "reading" and ids["sensors"]:
            at = datetime.now(UTC) - timedelta(seconds=chance.randrange(100_000))
            self._make(
                "sensor-readings",
                {"sensor_id": chance.choice(ids["sensors"]), "value": chance.random(), "value_at": at.isoformat()},
            )
        elif what == "ask" and ids["actors"]:
            self._ask("POST", f"/actors/{chance.choice(ids['actors'])}/write", {"action": "set", "value": 1})
        elif what == "change":
            kind = chance.choice([kind for kind in ("devices", "sensors", "actors") if ids[kind]])
            self._ask("PUT", f"/{kind}/{chance.choice(ids[kind])}", {"name": fresh("name")})
        elif what == "correct" and ids["sensor-readings"]:
            body = {"value": chance.random(), "value_at": datetime.now(UTC).isoformat()}
            self._ask("PUT", f"/sensor-readings/{chance.choice(ids['sensor-readings'])}", body)
        elif what in ("remove", "withdraw"):
            kind = chance.choice(list(ids) if what == "remove" else ["sensor-readings"])
            if ids[kind] and chance.random() < 0.5:
                self._ask("DELETE", f"/{kind}/{chance.choice(ids[kind])}")

    def look(self) -> None:
        """Every route that can be asked as of a moment, for everything that there ever was."""
        self.said.append((self.position, datetime.now(UTC), {path: self.read(path) for path in self.paths()}))

    def paths(self) -> Iterator[str]:
        for template in AS_OF:
            kind = template.split("/")[1]
            if "{id}" in template:
                yield from (template.replace("{id}", id) for id in self.ids[kind])
            else:
                yield template
        yield "/sensor-readings?latest=true"
        for sensor in self.ids["sensors"]:
            yield f"/sensor-readings?sensor_id={sensor}"
            yield f"/sensor-readings?sensor_id={sensor}&bucket=1h&agg=avg,min,max,count"

    def read(self, path: str, as_of: str | None = None) -> Any:
        answer = self.http.get(path, params=None if as_of is None else {**httpx.URL(path).params, "as_of": as_of})
        if as_of is not None and answer.status_code == 200:
            assert int(answer.headers["tidemark-as-of"]) <= self.position
        return answer.json()

    def _make(self, kind: str, body: dict[str, Any]) -> None:
        answer = self._ask("POST", f"/{kind}", body)
        if answer.status_code == 201:
            self.ids[kind].append(str(answer.json()["id"]))

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> httpx.Response:
        answer = self.http.request(method, path, json=body)
        assert answer.status_code in (200, 201, 202, 404) or "not found" in answer.text, answer.text
        self.position = max(self.position, int(answer.headers.get("tidemark-position", 0)))
        return answer


def test_whatever_happens_the_past_stays_as_it_was_on_every_route(person: Person) -> None:
    seed = random.randrange(2**32)
    history = History(person.http, random.Random(seed))
    for _ in range(STEPS):
        history.step()
        history.look()
    for position, at, said in history.said:
        moment = history.chance.choice([str(position), at.isoformat()]) if position else None
        for path, body in said.items() if moment else ():
            assert history.read(path, moment) == body, f"{path} as of {moment} (seed {seed})"
    documented = {
        path
        for path, methods in document()["paths"].items()
        if any(one["name"] == "as_of" for one in methods.get("get", {}).get("parameters", ()))
    }
    assert documented == set(AS_OF)


def test_what_came_into_being_later_was_not_there(person: Person) -> None:
    before = person.http.post("/devices", json=DEVICE).headers["tidemark-position"]
    id = person.http.post("/devices", json=DEVICE).json()["id"]
    assert person.http.get(f"/devices/{id}").status_code == 200
    answer = person.http.get(f"/devices/{id}", params={"as_of": before})
    assert (answer.status_code, answer.headers["tidemark-as-of"]) == (404, before)


@pytest.mark.parametrize(
    ("moment", "said"),
    [
        ("0", "nothing had happened yet"),
        ("2000-01-01T00:00:00Z", "nothing had happened by 2000-01-01T00:00:00Z"),
        ("999999999999", "is in the future; the log ends at"),
        ("2100-01-01T00:00:00Z", "is in the future"),
        ("yesterday", "as_of is a position, or a time"),
        ("2026-01-01T00:00:00", "as_of is a position, or a time"),
        ("", "as_of is a position, or a time"),
    ],
)
def test_moments_that_cannot_be_asked_for(person: Person, moment: str, said: str) -> None:
    answer = person.http.get("/devices", params={"as_of": moment})
    assert answer.status_code == 400
    assert said in answer.json()["error"]


def test_what_is_not_kept_is_refused_in_the_words_of_each_contract(quiet: Product, person: Person) -> None:
    now = {"as_of": person.http.post("/devices", json=DEVICE).headers["tidemark-position"]}
    assert "not offered here" in person.http.get("/openapi.json", params=now).json()["error"]
    tail = person.http.get("/streams/v1/topic/t/tail", params=now)
    assert (tail.status_code, "the tail follows what comes" in tail.text) == (400, True)
    things = person.http.get(
        "/api/v1/connectors/clients",
        params=now,
        headers={**bearer(quiet, fresh("app"), "connctd.connector"), "X-External-Subject-Id": "s"},
    )
    assert things.status_code == 200, "clients are kept"
    answer = person.http.get("/audit/events", params=now, headers=bearer(quiet, fresh("auditor"), "audit.read"))
    assert "there is no parameter 'as_of'" in answer.json()["error"]


class Said:
    """What a contract said after each of the things that were done, and whether it says so still."""

    def __init__(self, read: Callable[[str, dict[str, str]], httpx.Response]) -> None:
        self.read = read
        self.answers: list[tuple[str, dict[str, tuple[int, str]]]] = []

    def look(self, position: str, paths: Iterable[str]) -> None:
        self.answers.append((position, {path: _told(self.read(path, {})) for path in paths}))

    def check(self) -> None:
        for position, said in self.answers:
            for path, told in said.items():
                answer = self.read(path, {"as_of": position})
                assert _told(answer) == told, f"{path} as of {position}"
                assert answer.headers["tidemark-as-of"] == position


def _told(answer: httpx.Response) -> tuple[int, str]:
    """Rates fade with time, and the answers are not of the same millisecond."""
    return answer.status_code, re.sub(r'"messagesPerSecond":[0-9.e-]+', "", answer.text)


def test_things_their_values_and_what_was_asked_of_them_stay_as_they_were(quiet: Product) -> None:
    app = App(quiet)
    said = Said(lambda path, query: app.get(path, "s1", params=query))
    paths = ["/things"]
    for number in range(12):
        if number % 4 == 0:
            done = app.post("/things", LAMP, "s1")
            thing = f"/things/{done.json()['id']}"
            paths += [thing, f"{thing}/components/lamp", f"{thing}/{LEVEL}"]
        elif number == 7:
            done = app.delete(thing, "s1")
        elif number % 4 == 3:
            asked = app.post(f"{thing}/components/lamp/actions/blink", {"times": 2}, "s1")
            paths.append(f"/actions/requests/{asked.json()['id']}")
            done = asked
        else:
            done = app.request("PUT", f"{thing}/{LEVEL}", "s1", json={"value": str(number)})
        assert done.status_code < 300, done.text
        said.look(done.headers["tidemark-position"], paths)
    said.check()


def test_topics_and_groups_stay_as_they_were(quiet: Product, person: Person) -> None:
    streams, group, (one, another) = Streams(quiet), fresh("group"), sorted([fresh("topic"), fresh("topic")])
    paths = ["/v1/topics", "/v1/groups", f"/v1/groups/{group}", "/v1/topics/$events.devices"]
    paths += [f"/v1/topics/{one}", f"/v1/topics/{another}"]
    headers = bearer(quiet, fresh("auditor"), "audit.read")
    said = Said(lambda path, query: streams.consumer.get(path, params=query, headers=headers))
    steps: list[Callable[[], object]] = [
        lambda: streams.put_lines(one, [1, 2, 3]),
        lambda: streams.joined("a", group, one),
        lambda: streams.poll("a"),
        lambda: streams.put(one, 4, "key"),
        lambda: streams.joined("b", group, one, another),
        lambda: streams.put(another, 1),
        lambda: streams.poll("b"),
        lambda: streams.consumer.put(f"/v1/topics/{one}/retention", json={"maxAgeDays": 7}),
        lambda: streams.poll("a"),
        lambda: streams.goodbye("a"),
        lambda: streams.consumer.post(f"/v1/groups/{group}/seek", json={"topic": one, "to": "earliest"}),
        lambda: streams.goodbye("b"),
    ]
    for step in steps:
        step()
        # Whatever the step has recorded lies before it.
        said.look(person.http.post("/devices", json=DEVICE).headers["tidemark-position"], paths)
    said.check()


def test_metrics_stay_as_they_were(quiet: Product, person: Person) -> None:
    hosts = [new_host_of(person) for _ in range(2)]
    names = [fresh("metric") for _ in range(3)]
    paths = ["/metrics/unique", "/metrics/current", "/devices/none/metrics/current"]
    paths += [f"/metrics/{name}/current" for name in names] + [f"/devices/{host}/metrics/current" for host in hosts]
    # Points of an hour, since the answers are not of the same second.
    paths += ["/metrics/historic", *(f"/metrics/{name}/historic/last/quarter" for name in names)]
    paths += [f"/devices/{host}/metrics/historic" for host in hosts]
    paths += [f"/devices/{host}/metrics/{name}/historic/last/quarter" for host in hosts for name in names]
    http = httpx.Client(base_url=f"{quiet.api}/mrd", headers=bearer(quiet, fresh("agent")), timeout=30, trust_env=False)
    said = Said(lambda path, query: http.get(path, params=query))
    for number in range(70):
        body = {"name": names[number % 3], "value": number, "units": "u", "type": "double", "slope": "both", "ttl": 600}
        done = http.put(f"/{hosts[number % 7 % 2]}/metrics", json=body)
        assert done.status_code == 200, done.text
        if number % 5 == 0:
            position = person.http.post("/devices", json=DEVICE).headers["tidemark-position"]
            said.look(position, paths)
    said.check()


def test_what_has_expired_is_judged_by_the_clock_of_then(quiet: Product, person: Person) -> None:
    host, name = new_host_of(person), fresh("metric")
    http = httpx.Client(base_url=f"{quiet.api}/mrd", headers=bearer(quiet, fresh("agent")), timeout=30, trust_env=False)
    body = {"name": name, "value": 1, "units": "u", "type": "double", "slope": "both", "ttl": 1}
    assert http.put(f"/{host}/metrics", json=body).status_code == 200
    made = person.http.post("/devices", json=DEVICE)
    path = f"/metrics/{name}/current"
    eventually(lambda: http.get(path).status_code == 404)
    position = int(made.headers["tidemark-position"]) - 1
    assert http.get(path, params={"as_of": position}).status_code == 200
    assert http.get(path, params={"as_of": datetime.now(UTC).isoformat()}).status_code == 404


def new_host_of(person: Person) -> str:
    name = fresh("host")
    assert person.http.post("/devices", json={**DEVICE, "external_id": name}).status_code == 201
    return name


def test_connected_devices_are_as_they_were(quiet: Product, person: Person) -> None:
    def listed(**query: str) -> bool:
        answer = person.http.get("/connector/status", params=query)
        assert answer.status_code == 200, answer.text
        return str(device.id) in answer.json()["devices"]

    def position() -> str:
        return str(person.http.post("/devices", json=DEVICE).headers["tidemark-position"])

    with MqttDevice(quiet.urls["mqtt"]) as device:
        device.announce()
        before = position()
        device.say("online")
        eventually(listed)
        meanwhile = position()
        device.say("offline")
        eventually(lambda: not listed())
    assert [listed(as_of=moment) for moment in (before, meanwhile, position())] == [False, True, False]
    for path in ("/connector/devices", f"/connector/devices/{device.id}/show"):  # their traffic is that of now
        answer = person.http.get(path, params={"as_of": meanwhile})
        assert answer.status_code == 400, answer.text
        assert "as it is now only" in answer.json()["error"]


def test_state_messages_are_those_of_then(quiet: Product, person: Person) -> None:
    def listed(**query: str) -> list[str]:
        answer = person.http.get("/messages", params={"include": "topic", **query})
        assert answer.status_code == 200, answer.text
        return [one["payload"] for one in answer.json()["messages"] if one["topic"] == topic]

    topic, said = f"state:{fresh('topic')}", dict[str, list[str]]()
    with MqttDevice(quiet.urls["mqtt"]) as device:
        for number in range(3):
            said[person.http.post("/devices", json=DEVICE).headers["tidemark-position"]] = listed()
            device.publish(topic, str(number).encode())
            eventually(lambda number=number: len(listed()) == number + 1)
    assert list(said.values()) == [[], ["0"], ["1", "0"]]
    for position, then in said.items():
        assert listed(as_of=position) == then


def test_whoever_is_locked_out_does_not_see_the_past_either(quiet: Product) -> None:
    locked = Person(quiet)
    position = locked.http.post("/devices", json=DEVICE).headers["tidemark-position"]
    assert locked.http.get("/sensors", params={"as_of": position}).status_code == 200
    quiet.run("user", "disable", locked.name)
    eventually(lambda: locked.http.get("/sensors", params={"as_of": position}).status_code == 401)
