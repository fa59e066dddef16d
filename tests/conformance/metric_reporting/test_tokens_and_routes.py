"""Cases 2A, authentication and routing."""

import socket
import time
from typing import Any
from urllib.parse import urlsplit

import httpx
import jwt
import pytest

from tests.conformance.metric_reporting.client import (
    JSON,
    TEXT,
    Daemon,
    is_done,
    is_refused,
    is_unauthorized,
    is_unparsable,
    metric,
    secret_of,
    signed,
)
from tests.product import Product, run_tidemark
from tests.waiting import eventually


@pytest.fixture(scope="module")
def secret(product: Product) -> str:
    return secret_of(product)


@pytest.fixture
def put(stranger: Daemon, host: str) -> Any:
    """Reports something to a known device, with nothing but these headers."""
    return lambda headers=None, **options: stranger.put(host, metric(), headers=headers or {}, **options)


@pytest.mark.parametrize("authorization", [None, "", "Basic dTpw", "Bearer", "aaa.bbb.ccc"])
def test_m50_and_m51_without_a_token_nothing_is_reported(put: Any, authorization: str | None) -> None:
    is_unauthorized(put({} if authorization is None else {"Authorization": authorization}), "no token found")


def test_m51_a_token_in_the_query_is_none(stranger: Daemon, host: str, secret: str) -> None:
    token = signed(secret)["Authorization"].split()[1]
    is_unauthorized(stranger.request("PUT", f"/{host}/metrics?jwt={token}", json=metric()), "no token found")


@pytest.mark.parametrize("token", ["abc", "a.b.c", "x" * 10_000])
def test_m52_what_is_no_token_is_worth_nothing(put: Any, token: str) -> None:
    is_unauthorized(put({"Authorization": f"Bearer {token}"}), "token is unauthorized")


def test_m53_a_token_signed_by_others_is_worth_nothing(put: Any) -> None:
    is_unauthorized(put(signed("another secret that is long enough, too")), "token is unauthorized")


@pytest.mark.parametrize("algorithm", ["none", "HS384", "HS512"])
def test_m54_only_one_algorithm_will_do(put: Any, secret: str, algorithm: str) -> None:
    is_unauthorized(put(signed("" if algorithm == "none" else secret, algorithm)), "token is unauthorized")


@pytest.mark.parametrize("end", ["soon", None, True, [1]])
def test_m54_an_end_that_is_no_number_is_worth_nothing(put: Any, secret: str, end: Any) -> None:
    token = jwt.api_jws.encode(b'{"exp":' + str(end).lower().replace("none", "null").encode() + b"}", secret, "HS256")
    is_unauthorized(put({"Authorization": f"Bearer {token}"}), "token is unauthorized")


def test_m55_an_expired_token_is_told_so(put: Any, secret: str) -> None:
    is_unauthorized(put(signed(secret, exp=int(time.time()) - 60)), "token is expired")


def test_m56_a_token_may_begin_later(put: Any, secret: str) -> None:
    is_unauthorized(put(signed(secret, nbf=int(time.time()) + 600)), "token nbf validation failed")


def test_m57_a_token_may_not_be_issued_later(put: Any, secret: str) -> None:
    is_unauthorized(put(signed(secret, iat=int(time.time()) + 600)), "token iat validation failed")


def test_m58_a_token_need_not_say_anything(put: Any, secret: str) -> None:
    is_done(put(signed(secret)))


@pytest.mark.parametrize("scheme", ["bearer", "BEARER"])
def test_m59_the_scheme_may_be_written_in_any_letters(put: Any, secret: str, scheme: str) -> None:
    token = signed(secret)["Authorization"].split()[1]
    is_done(put({"Authorization": f"{scheme} {token}"}))


def test_m60_a_token_may_be_in_a_cookie(put: Any, secret: str) -> None:
    token = signed(secret)["Authorization"].split()[1]
    is_done(put({"Cookie": f"a=b; jwt={token}"}))
    is_unauthorized(put({"Cookie": "jwt=abc"}), "token is unauthorized")


def test_m61_the_token_is_looked_at_first(stranger: Daemon) -> None:
    is_unauthorized(stranger.put("999", "hello"), "no token found")


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer zzz"}])
def test_m62_reading_needs_no_token(stranger: Daemon, headers: dict[str, str]) -> None:
    assert stranger.get("/metrics/current", headers=headers).status_code == 200


def test_m63_it_says_that_it_lives(mount: Daemon) -> None:
    answer = mount.get("/status")
    is_done(answer)


@pytest.mark.parametrize("method", ["POST", "GET", "HEAD", "OPTIONS", "DELETE", "PATCH"])
def test_m64_what_cannot_be_done_with_a_path(mount: Daemon, host: str, method: str) -> None:
    answer = mount.request(method, f"/{host}/metrics")
    assert (answer.status_code, answer.text, answer.headers["allow"]) == (405, "", "PUT")


@pytest.mark.parametrize("path", ["/status", "/metrics/current", "/devices/1/metrics/x/historic/last/hour"])
def test_m64_what_cannot_be_done_with_a_path_that_is_read(mount: Daemon, path: str) -> None:
    for method in ("PUT", "HEAD", "POST"):
        answer = mount.request(method, path)
        assert (answer.status_code, answer.text, answer.headers["allow"]) == (405, "", "GET")


@pytest.mark.parametrize("path", ["/nope", "/", "/metrics/x/historic", "/metrics/x/historic/last", "/1/metrics/more"])
def test_m65_a_path_that_there_is_not(mount: Daemon, path: str) -> None:
    answer = mount.get(path)
    assert (answer.status_code, answer.text) == (404, "404 page not found\n")
    assert answer.headers["content-type"] == TEXT
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_m66_a_path_is_cleaned(product: Product, host: str, secret: str) -> None:
    """As it is sent: clients would clean it themselves."""
    authorization = signed(secret)["Authorization"]
    body = b'{"name":"x","value":1,"units":"","type":"int8","slope":"both","ttl":60}'
    for url, prefix in ((product.urls["metrics"], ""), (product.api, "/mrd")):
        parts = urlsplit(url)
        for path in (f"//{host}//metrics", f"/{host}/metrics/", f"/./{host}/metrics", f"/2/../{host}/metrics"):
            head = f"PUT {prefix}{path} HTTP/1.1\r\nHost: x\r\nAuthorization: {authorization}\r\nConnection: close\r\n"
            with socket.create_connection((parts.hostname, parts.port or 80), timeout=30) as connection:
                connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
                with connection.makefile("rb") as answer:
                    assert answer.read().startswith(b"HTTP/1.1 200"), path


def test_m67_whoever_develops_is_given_a_token(mount: Daemon, host: str) -> None:
    answer = Daemon(mount.url).request("POST", "/token", content=b"{}")
    assert (answer.status_code, answer.headers["content-type"]) == (200, JSON)
    assert list(answer.json()) == ["status", "token"]
    token = answer.json()["token"]
    is_done(Daemon(mount.url, {"Authorization": f"Bearer {token}"}).put(host, metric()))


def test_m67_a_token_ends_when_it_is_asked_to(stranger: Daemon, secret: str) -> None:
    for asked, seconds in (
        (b"", 86_400),
        (b'{"expires_in":60000000000}', 60),
        (b'{"expires_in":1%s}' % (b"0" * 80), None),
    ):
        token = stranger.request("POST", "/token", content=asked).json()["token"]
        claims = jwt.decode(token, secret, ["HS256"])
        assert list(claims) == ["exp"]
        assert seconds is None or claims["exp"] - time.time() == pytest.approx(seconds, abs=20)
    for wrong in (b"[]", b"hello", b'{"expires_in":"1h"}'):
        is_unparsable(stranger.request("POST", "/token", content=wrong))


def test_m68_other_programs_tokens_are_tokens(put: Any, secret: str) -> None:
    now = int(time.time())
    is_done(put(signed(secret, jti="x", sub="1", scp="user", aud="alces-ct", iat=now, exp=now + 60)))
    is_done(put(signed(secret, sub=1, user_id=7, aud=["x"])))
    for subject in ("\ud800", "\0", "x" * 5_000):
        is_done(put(signed(secret, sub=subject)))


def test_a_disabled_account_reports_nothing(product: Product, stranger: Daemon, host: str) -> None:
    name = f"user-{time.time_ns()}"
    with httpx.Client(base_url=product.api, timeout=20) as client:
        client.post("/register", json={"username": name, "password": "secret123"})
        token = client.post("/login", json={"username": name, "password": "secret123"}).json()["token"]
    headers = {"Authorization": f"Bearer {token}"}
    is_done(stranger.put(host, metric(), headers=headers))
    run_tidemark("user", "disable", name, "--data-dir", str(product.data_dir))
    eventually(lambda: stranger.put(host, metric(), headers=headers).status_code == 401)
    is_unauthorized(stranger.put(host, metric(), headers=headers), "token is unauthorized")


def test_a_body_that_is_too_large_is_refused(daemon: Daemon, host: str) -> None:
    is_refused(daemon.put(host, b" " * (9 * 1024 * 1024)), 413, "Request Entity Too Large")
