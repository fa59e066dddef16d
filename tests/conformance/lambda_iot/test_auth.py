"""Contract 4.1: accounts and tokens. AU34 (too many failed logins) is in test_locks.py."""

import base64
import json
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from statistics import median
from typing import Any
from uuid import UUID, uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from adapters.eventstore.log import PostgresEventLog
from adapters.eventstore.mapper import Mapper
from application import identity
from application.executor import CommandExecutor
from application.identity import DisableUser, EnableUser
from domain.catalogue import CATALOGUE
from domain.event import Origin
from entrypoints.lambda_iot.openapi.document import document
from tests.conformance.lambda_iot.client import PASSWORD, Account, Api, is_error
from tests.product import Product
from tests.waiting import eventually

# Every operation that the document says needs a token, with ids that are well formed and nobody's.
ROUTES_WITH_TOKEN = sorted(
    (method.upper(), path.replace("{id}", "1" if "reading" in path else "3814fb88-565c-5dc8-9b91-60d4002b6edc"))
    for path, methods in document()["paths"].items()
    for method, operation in methods.items()
    if operation["security"] == [{"bearer": []}]
)


def new_name() -> str:
    return f"user-{uuid4().hex[:12]}"


def account(**more: Any) -> dict[str, Any]:
    return {"username": new_name(), "password": PASSWORD, **more}


@pytest.fixture(scope="module")
def admin(anybody: Api) -> Account:
    return anybody.register()


def test_AU01_health_is_ok(anybody: Api) -> None:
    assert anybody.ok("/health") == {"status": "ok"}


def test_AU02_hello_says_hello(anybody: Api) -> None:
    assert anybody.ok("/hello") == {"message": "hello from lambdaiot"}


def test_AU03_registering_answers_with_id_and_username(anybody: Api) -> None:
    asked = account()
    answer = anybody.post("/register", asked)
    assert answer.status_code == 201
    body = answer.json()
    assert body == {"id": body["id"], "username": asked["username"]}
    assert str(UUID(body["id"])) == body["id"]


@pytest.mark.parametrize("email", ["a@b.c", "", None, "not an address"])
def test_AU04_an_email_is_optional_and_never_shown(anybody: Api, email: str | None) -> None:
    answer = anybody.post("/register", account(email=email))
    assert answer.status_code == 201
    assert set(answer.json()) == {"id", "username"}


def test_AU05_a_taken_username_is_a_conflict(anybody: Api) -> None:
    asked = account()
    assert anybody.post("/register", asked).status_code == 201
    is_error(anybody.post("/register", asked), 409, "resource already exists")


def test_a_username_is_taken_in_any_capitals_and_kept_as_typed(anybody: Api) -> None:
    name = f"Ada-{uuid4().hex[:8]}"
    assert anybody.post("/register", account(username=name)).json()["username"] == name
    is_error(anybody.post("/register", account(username=name.upper())), 409, "resource already exists")
    assert anybody.post("/login", {"username": name.lower(), "password": PASSWORD}).status_code == 200


def test_a_name_registered_twice_at_the_same_moment_is_taken_once(anybody: Api) -> None:
    asked = account()
    with ThreadPoolExecutor(6) as threads:
        answers = list(threads.map(lambda _: anybody.post("/register", asked).status_code, range(6)))
    assert sorted(answers) == [201, 409, 409, 409, 409, 409]


def test_AU07_a_username_of_two_characters_is_too_short(anybody: Api) -> None:
    is_error(anybody.post("/register", account(username="ab")), 400, "invalid username")


def test_AU08_usernames_of_3_and_of_50_characters_are_accepted(anybody: Api) -> None:
    # Three characters of a large alphabet, so that a test that runs twice does not find its name taken.
    short = "".join(chr(0x4E00 + byte) for byte in uuid4().bytes[:3])
    assert anybody.post("/register", account(username=short)).status_code == 201
    assert anybody.post("/register", account(username=uuid4().hex + "x" * 18)).status_code == 201


def test_a_username_of_51_characters_is_too_long(anybody: Api) -> None:
    is_error(anybody.post("/register", account(username="x" * 51)), 400, "invalid username")


def test_AU10_a_username_is_measured_in_characters_not_bytes(anybody: Api) -> None:
    name = "".join(chr(0xE0 + byte % 16) for byte in (uuid4().bytes + uuid4().bytes + uuid4().bytes + b"ab"))
    assert len(name) == 50
    assert anybody.post("/register", account(username=name)).status_code == 201


def test_AU11_a_password_needs_six_characters(anybody: Api) -> None:
    is_error(anybody.post("/register", account(password="12345")), 400, "invalid password")
    assert anybody.post("/register", account(password="123456")).status_code == 201


def test_a_password_is_not_cut_short(anybody: Api) -> None:
    long = "p" * 1024
    asked = account(password=long)
    assert anybody.post("/register", asked).status_code == 201
    is_error(anybody.post("/login", {**asked, "password": long[:-1] + "q"}), 401, "invalid credentials")
    assert anybody.post("/login", asked).status_code == 200
    is_error(anybody.post("/register", account(password=long + "p")), 400, "invalid password")


def test_AU13_a_broken_body_is_refused(anybody: Api) -> None:
    is_error(anybody.post("/register", '{"username":'), 400, "invalid request body")


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"username": 123}, "invalid username"),
        ({"username": True}, "invalid username"),
        ({"username": ["abc"]}, "invalid username"),
        ({"username": None}, "username is required"),
        ({"username": ""}, "username is required"),
        ({"username": "a\0bc"}, "invalid username"),
        ({"password": 123456}, "invalid password"),
        ({"password": None}, "password is required"),
        ({"password": ""}, "password is required"),
        ({"email": 5}, "invalid email"),
        ({"email": "a\0@b.c"}, "invalid email"),
    ],
)
def test_AU14_a_field_of_the_wrong_type_is_named(anybody: Api, fields: dict[str, Any], text: str) -> None:
    is_error(anybody.post("/register", account(**fields)), 400, text)


def test_a_missing_field_is_named(anybody: Api) -> None:
    is_error(anybody.post("/register", {"password": PASSWORD}), 400, "username is required")
    is_error(anybody.post("/register", {"username": new_name()}), 400, "password is required")


def test_AU16_a_body_is_json_whatever_its_header_says(anybody: Api) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert anybody.post("/register", json.dumps(account()), headers=form).status_code == 201


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("Content-Type", "text/plain; charset=latin-1")],
        [("Content-Type", "application/json"), ("Content-Type", "multipart/form-data; boundary=x")],
        [("Content-Type", "no media type at all")],
    ],
    ids=["none", "text", "two", "nonsense"],
)
def test_any_or_no_content_type_will_do(anybody: Api, headers: Sequence[tuple[str, str]]) -> None:
    request = anybody.client.build_request("POST", "/register", content=json.dumps(account()), headers=list(headers))
    assert anybody.client.send(request).status_code == 201


def test_AU17_login_gives_a_token(anybody: Api, admin: Account) -> None:
    answer = anybody.post("/login", {"username": admin.username, "password": PASSWORD})
    assert answer.status_code == 200
    assert list(answer.json()) == ["token"]
    assert answer.json()["token"].count(".") == 2


def test_AU18_a_wrong_password_is_refused(anybody: Api, admin: Account) -> None:
    answer = anybody.post("/login", {"username": admin.username, "password": "wrong password"})
    is_error(answer, 401, "invalid credentials")
    assert answer.headers["www-authenticate"] == "Bearer"


def test_AU19_an_unknown_user_cannot_be_told_from_a_wrong_password(anybody: Api, admin: Account) -> None:
    wrong: list[float] = []
    unknown: list[float] = []
    for _ in range(7):
        started = time.perf_counter()
        refused = anybody.post("/login", {"username": admin.username, "password": "wrong password"})
        between = time.perf_counter()
        nobody = anybody.post("/login", {"username": new_name(), "password": "wrong password"})
        unknown.append(time.perf_counter() - between)
        wrong.append(between - started)
        assert (nobody.status_code, nobody.content) == (refused.status_code, refused.content) == (401, refused.content)
        assert set(nobody.headers) == set(refused.headers)
    # Hashing takes milliseconds, answering without it would take a fraction: a wide bound still tells them apart.
    assert 0.4 < median(unknown) / median(wrong) < 2.5


def test_AU20_a_login_that_is_not_json_is_refused(anybody: Api) -> None:
    is_error(anybody.post("/login", "username=admin&password=secret123"), 400, "invalid request body")
    is_error(anybody.post("/login", b""), 400, "invalid request body")


@pytest.mark.parametrize("body", [{"username": 5, "password": "x"}, {"username": "ada"}, {"password": "secret123"}])
def test_a_login_with_a_missing_or_wrong_field_is_a_bad_request(anybody: Api, body: dict[str, Any]) -> None:
    is_error(anybody.post("/login", body), 400)


def test_AU22_protected_shows_exactly_the_three_claims(anybody: Api) -> None:
    account = anybody.register()
    claims = anybody.ok("/protected", headers=account.headers)
    expires = claims["claims"]["exp"]
    assert claims == {"claims": {"sub": account.username, "user_id": str(account.id), "exp": expires}}
    assert type(expires) is int
    assert 86390 - 60 <= expires - time.time() <= 86400


def test_AU23_without_a_header_there_are_no_claims(anybody: Api) -> None:
    answer = anybody.get("/protected")
    is_error(answer, 401, "no claims")
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("header", ["Basic YTpi", "Bearer", "", "Bearerabc", "Token abc"])
def test_AU25_a_header_without_a_bearer_token_has_no_claims(anybody: Api, header: str) -> None:
    is_error(anybody.get("/protected", headers={"Authorization": header}), 401, "no claims")


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "BeArEr"])
def test_AU26_the_scheme_is_read_in_any_case(anybody: Api, admin: Account, scheme: str) -> None:
    assert anybody.get("/protected", headers={"Authorization": f"{scheme} {admin.token}"}).status_code == 200


def test_a_changed_token_is_refused(anybody: Api, admin: Account) -> None:
    head, body, signature = admin.token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    longer = _encoded({**claims, "exp": claims["exp"] + 86400})
    for token in (f"{head}.{longer}.{signature}", admin.token[:-4], f"{admin.token}.x", "a.b.c", f"{head}.{body}."):
        is_error(anybody.get("/protected", headers=_bearer(token)), 401, "invalid credentials")


def test_AU28_an_unsigned_token_is_refused(anybody: Api, admin: Account) -> None:
    for algorithm in ("none", "None", "NONE"):
        token = f"{_encoded({'alg': algorithm, 'typ': 'JWT'})}.{admin.token.split('.')[1]}."
        answer = anybody.get("/protected", headers=_bearer(token))
        is_error(answer, 401, "invalid credentials")
        assert answer.headers["www-authenticate"] == "Bearer"


def test_AU29_a_token_signed_by_somebody_else_is_refused(anybody: Api, admin: Account) -> None:
    claims = {"sub": admin.username, "user_id": str(admin.id), "exp": int(time.time()) + 3600}
    forged = jwt.encode(claims, "another secret, long enough to be a good one", algorithm="HS256")
    is_error(anybody.get("/protected", headers=_bearer(forged)), 401, "invalid credentials")
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    is_error(anybody.get("/protected", headers=_bearer(jwt.encode(claims, key, "RS256"))), 401, "invalid credentials")
    switched = f"{_encoded({'alg': 'RS256', 'typ': 'JWT'})}.{admin.token.split('.', 1)[1]}"
    is_error(anybody.get("/protected", headers=_bearer(switched)), 401, "invalid credentials")


async def test_AU31_a_disabled_account_is_locked_out_and_comes_back(anybody: Api, product: Product) -> None:
    account = anybody.register()
    assert anybody.get("/protected", headers=account.headers).status_code == 200
    await _as_operator(product, DisableUser(username=account.username, reason="left the company"))
    eventually(lambda: anybody.get("/protected", headers=account.headers).status_code == 401)
    is_error(anybody.get("/protected", headers=account.headers), 401, "invalid credentials")
    login = {"username": account.username, "password": PASSWORD}
    is_error(anybody.post("/login", login), 401, "invalid credentials")
    await _as_operator(product, EnableUser(username=account.username))
    eventually(lambda: anybody.get("/protected", headers=account.headers).status_code == 200)
    assert anybody.post("/login", login).status_code == 200


@pytest.mark.parametrize(("method", "path"), ROUTES_WITH_TOKEN)
def test_AU32_every_protected_route_needs_a_token(anybody: Api, method: str, path: str) -> None:
    answer = anybody.request(
        method, path, content=b'{"sensor_id":"x","value":1}' if method in ("POST", "PUT") else None
    )
    is_error(answer, 401, "no claims")
    assert answer.headers["www-authenticate"] == "Bearer"


def test_AU32_a_write_without_a_token_has_no_effect(anybody: Api, person: Api, known: Any) -> None:
    body = {"sensor_id": str(known.sensor()), "value": 1}
    is_error(anybody.post("/sensor-readings", body), 401)
    is_error(anybody.post("/sensor-readings", body, headers=_bearer("a.b.c")), 401)
    assert person.post("/sensor-readings", {**body, "value": 2}).status_code == 201
    assert person.values_of(known.sensor()) == [2]


def test_the_token_is_checked_before_the_path_and_the_body(anybody: Api) -> None:
    is_error(anybody.get("/devices/not-a-uuid"), 401, "no claims")
    is_error(anybody.get("/sensor-readings/abc"), 401, "no claims")
    is_error(anybody.get("/sensor-readings?limit=0"), 401, "no claims")
    is_error(anybody.post("/sensor-readings", "{{{"), 401, "no claims")


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def _encoded(part: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")


async def _as_operator(product: Product, command: DisableUser | EnableUser) -> None:
    """There is no route for this yet: a second process writes to the same log, which the API must notice."""
    async with (
        PostgresEventLog(product.urls["postgres"], Mapper(CATALOGUE)) as log,
        CommandExecutor(log, identity.HANDLERS, _utc_now).running() as executor,
    ):
        await executor.execute(command, Origin(actor="system:test", source="system", correlation_id=uuid4().hex))


def _utc_now() -> datetime:
    return datetime.now(UTC)
