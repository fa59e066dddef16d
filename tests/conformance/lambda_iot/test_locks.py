"""The locks of contract 5 and AU34: who may register, who may list devices, who may try passwords."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import httpx
import pytest

from domain.identifiers import user_id
from domain.identity.access import MOST
from tests.conformance.lambda_iot.client import PASSWORD, Api, is_error
from tests.product import Product, run_tidemark

pytestmark = [pytest.mark.timeout(300), pytest.mark.xdist_group("locked products")]

LIMIT = 20


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """Only the first account is free, devices are not listed for everybody, twenty failed logins close the door."""
    environment = {"TIDEMARK_REGISTRATION": "first", "TIDEMARK_PUBLIC_DEVICE_LIST": "no"}
    with Product(tmp_path_factory.mktemp("locked"), environment=environment) as product:
        yield product


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    with Product(tmp_path_factory.mktemp("closed"), environment={"TIDEMARK_REGISTRATION": "closed"}) as product:
        yield product


@pytest.fixture(scope="module")
def first(locked: Product) -> str:
    """The name of the one who registered first, of six who tried at the same moment."""
    names = [new_name() for _ in range(6)]
    with ThreadPoolExecutor(6) as threads:
        answers = list(threads.map(lambda name: register(locked, name), names))
    assert sorted(answer.status_code for answer in answers) == [201, 401, 401, 401, 401, 401]
    for answer in answers:
        if answer.status_code == 401:
            is_error(answer, 401, "no claims")
            assert answer.headers["www-authenticate"] == "Bearer"
    return next(name for name, answer in zip(names, answers, strict=True) if answer.status_code == 201)


def test_only_the_first_of_many_registers_freely(locked: Product, first: str) -> None:
    is_error(register(locked, new_name()), 401, "no claims")
    is_error(register(locked, first), 401, "no claims")
    assert [event["data"]["user_id"] for event in events(locked, "identity.registry.")] == [str(user_id(first))]


def test_others_register_with_a_token_that_permits_it(locked: Product, first: str) -> None:
    name = new_name()
    assert register(locked, name, token(locked, first, "users.write")).status_code == 201
    named = str(user_id(name))
    registered = [event for event in events(locked, "identity.user.registered") if event["aggregate_id"] == named]
    assert [event["actor"] for event in registered] == [f"user:{user_id(first)}"]
    is_error(register(locked, name, token(locked, first, "users.write")), 409, "resource already exists")


def test_a_token_that_does_not_permit_it_is_not_enough(locked: Product, first: str) -> None:
    is_error(register(locked, new_name(), token(locked, first)), 403, "forbidden")
    is_error(register(locked, new_name(), token(locked, first, "users.read", "users")), 403, "forbidden")
    is_error(register(locked, new_name(), "a.b.c"), 401, "invalid credentials")


def test_who_may_register_is_checked_before_the_body(locked: Product, first: str) -> None:
    with at(locked) as api:
        is_error(api.post("/register", "{{{"), 401, "no claims")


def test_a_token_of_a_disabled_account_permits_nothing(locked: Product, first: str) -> None:
    name = added(locked)
    locked.run("user", "disable", name)
    is_error(register(locked, new_name(), token(locked, name, "users.write")), 401, "invalid credentials")


def test_a_scope_is_not_shown_among_the_claims(locked: Product, first: str) -> None:
    with at(locked) as api:
        shown = api.ok("/protected", headers=bearer(token(locked, first, "users.write")))
    assert set(shown["claims"]) == {"sub", "user_id", "exp"}


def test_where_registration_is_closed_nobody_registers(closed: Product) -> None:
    is_error(register(closed, new_name()), 403, "registration is closed")
    is_error(register(closed, new_name(), token(closed, "admin", "users.write")), 403, "registration is closed")
    with at(closed) as api:
        is_error(api.post("/register", "{{{"), 403, "registration is closed")


def test_an_operator_adds_accounts_where_registration_is_closed(closed: Product) -> None:
    name = added(closed)
    with at(closed) as api:
        assert log_in(api, name).status_code == 200
    arguments = ("user", "add", name, "--data-dir", str(closed.data_dir))
    assert "is taken" in run_tidemark(*arguments, stdin=f"{PASSWORD}\n", fails=True)
    short = run_tidemark("user", "add", new_name(), "--data-dir", str(closed.data_dir), stdin="12345\n", fails=True)
    assert short.startswith("invalid password")


def test_the_list_of_devices_is_not_public_when_the_operator_says_so(locked: Product, first: str) -> None:
    with at(locked) as api:
        answer = api.get("/devices")
        is_error(answer, 401, "no claims")
        assert answer.headers["www-authenticate"] == "Bearer"
        is_error(api.get("/devices", headers=bearer("a.b.c")), 401, "invalid credentials")
        assert api.ok("/devices", headers=bearer(token(locked, first))) == []
        assert api.ok("/health") == {"status": "ok"}


def test_AU34_twenty_failed_logins_in_a_minute_close_the_door_to_their_source(locked: Product, first: str) -> None:
    with at(locked, "127.0.1.1") as api:
        for _ in range(LIMIT):
            is_error(log_in(api, new_name(), "wrong password"), 401, "invalid credentials")
        is_blocked(log_in(api, new_name(), "wrong password"))
        is_blocked(log_in(api, first))
    with at(locked, "127.0.1.2") as api:
        assert log_in(api, first).status_code == 200


def test_AU34_twenty_failed_logins_in_a_minute_close_the_door_to_the_user(locked: Product, first: str) -> None:
    name = added(locked)
    with at(locked, "127.0.2.1") as home:
        assert log_in(home, name).status_code == 200
        for n in range(LIMIT):
            with at(locked, f"127.0.2.{10 + n}") as api:
                is_error(log_in(api, name, "wrong password"), 401, "invalid credentials")
        with at(locked, "127.0.2.2") as api:
            is_blocked(log_in(api, name, "wrong password"))
            is_blocked(log_in(api, name.upper()))
            assert log_in(api, first).status_code == 200, "only the one user"
        # Where the user has logged in before, nobody else's failures lock the user out.
        assert log_in(home, name).status_code == 200


def test_AU34_the_user_is_named_by_id_and_of_a_flood_little_is_recorded(locked: Product, first: str) -> None:
    secret = f"typed-as-a-name-{uuid4().hex}"
    with at(locked, "127.0.3.1") as api:
        for _ in range(LIMIT):
            is_error(log_in(api, secret, "wrong password"), 401)
        before = events(locked)
        for _ in range(50):
            is_blocked(log_in(api, secret, "wrong password"))
    after = events(locked)
    flood = after[len(before) :]
    assert [event["topic"] for event in flood] == ["identity.access.refused.v1"] * MOST
    assert [event["data"].get("is_last", False) for event in flood] == [False] * (MOST - 1) + [True]
    assert {(event["data"]["source"], event["data"]["status"]) for event in flood} == {("127.0.3.1", 429)}
    assert secret not in json.dumps(after)
    assert "wrong password" not in json.dumps(after)
    of_user = [event for event in after if event["data"].get("user_id") == str(user_id(secret))]
    topics = [event["topic"] for event in of_user]
    assert topics.count("identity.login.refused.v1") == topics.count("identity.source.refused.v1") == LIMIT
    assert topics.count("identity.login.blocked.v1") == 1
    blocked = [event for event in after if event["topic"] == "identity.source.blocked.v1"]
    assert [event["data"]["source"] for event in blocked].count("127.0.3.1") == 1
    assert {event["actor"] for event in of_user} == {"system:login"}


def test_AU34_many_guesses_at_once_are_not_more_than_twenty(locked: Product, first: str) -> None:
    name = added(locked)
    passwords = [*(f"wrong password {n}" for n in range(40)), PASSWORD]
    with at(locked, "127.0.4.1") as api, ThreadPoolExecutor(len(passwords)) as threads:
        answers = list(threads.map(lambda password: log_in(api, name, password).status_code, passwords))
        assert answers[:-1].count(401) == LIMIT
        assert answers[:-1].count(429) == 20
        is_blocked(log_in(api, name))


def test_AU34_logins_that_succeed_never_count(locked: Product, first: str) -> None:
    name = added(locked)
    with at(locked, "127.0.5.1") as api:
        for _ in range(LIMIT + 5):
            assert log_in(api, name).status_code == 200
        for _ in range(LIMIT - 1):
            is_error(log_in(api, name, "wrong password"), 401)
        assert log_in(api, name).status_code == 200


def test_AU34_bodies_that_are_no_login_do_not_count(locked: Product, first: str) -> None:
    with at(locked, "127.0.6.1") as api:
        for _ in range(LIMIT + 1):
            is_error(api.post("/login", "{"), 400)
            is_error(api.post("/login", {"username": first}), 400)
        assert log_in(api, first).status_code == 200


def test_a_header_that_names_another_address_is_not_believed(locked: Product, first: str) -> None:
    with at(locked, "127.0.7.1") as api:
        for n in range(LIMIT):
            headers = {"X-Forwarded-For": f"203.0.113.{n}", "Forwarded": f"for=203.0.113.{n}", "X-Real-IP": "::1"}
            body = {"username": new_name(), "password": "wrong password"}
            is_error(api.post("/login", body, headers=headers), 401)
        is_blocked(log_in(api, new_name(), "wrong password"))


@contextmanager
def at(product: Product, source: str | None = None) -> Iterator[Api]:
    """The API as somebody at another address sees it. Linux has all of 127.0.0.0/8, others have to be told."""
    transport = httpx.HTTPTransport(local_address=source)
    with httpx.Client(base_url=product.api, transport=transport, timeout=60) as client:
        try:
            client.get("/health")
        except httpx.ConnectError:
            pytest.skip(f"this machine has no {source}")
        yield Api(client)


def register(product: Product, name: str, token: str | None = None) -> httpx.Response:
    with at(product) as api:
        headers = bearer(token) if token else None
        return api.post("/register", {"username": name, "password": PASSWORD}, headers=headers)


def log_in(api: Api, name: str, password: str = PASSWORD) -> httpx.Response:
    return api.post("/login", {"username": name, "password": password})


def added(product: Product) -> str:
    """A new account, made by an operator."""
    name = new_name()
    run_tidemark("user", "add", name, "--data-dir", str(product.data_dir), stdin=f"{PASSWORD}\n")
    return name


def token(product: Product, name: str, *scopes: str) -> str:
    return product.run("token", "--subject", name, *(f"--scope={scope}" for scope in scopes)).strip()


def events(product: Product, topic: str = "") -> list[dict[str, Any]]:
    printed = product.run("events", "--json", "--from", "1", *(["--topic", topic] if topic else []))
    return [json.loads(line) for line in printed.splitlines()]


def is_blocked(answer: httpx.Response) -> None:
    is_error(answer, 429, "too many requests")
    assert 1 <= int(answer.headers["retry-after"]) <= 60


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def new_name() -> str:
    return f"user-{uuid4().hex[:12]}"
