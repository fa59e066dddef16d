"""A product from its first start, over a kill; and one of production, where reading needs a token."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from adapters.embedded.nats import EmbeddedNats
from tests.conformance.lambda_iot.client import PASSWORD, Api
from tests.conformance.metric_reporting.client import (
    Daemon,
    is_not_found,
    is_unauthorized,
    metric,
    new_host,
    signed,
)
from tests.installation import Installation
from tests.product import Product
from tests.servers import start_postgres

pytestmark = [pytest.mark.timeout(300), pytest.mark.xdist_group("lives of metrics")]

SECRET = "not the one of any other installation, 1969"


def test_m70_m71_and_m86_from_the_first_start_over_a_kill(tmp_path: Path) -> None:
    with Product(tmp_path / "product", environment={"JWT_SECRET": SECRET}) as product:
        daemon = Daemon(product.urls["metrics"], signed(SECRET))
        # Nobody is told to wait (issue 5): what is not there is not there.
        assert daemon.ok("/metrics/current") == daemon.ok("/metrics/unique") == daemon.ok("/metrics/historic") == []
        is_not_found(daemon.get("/metrics/x/current"), "Metric")
        for device in ("1", "999"):
            is_not_found(daemon.get(f"/devices/{device}/metrics/current"), "Host")
        with httpx.Client(base_url=product.api, timeout=20) as client:
            account = Api(client).register()
            client.headers.update(account.headers)
            host = new_host(Api(client))
        daemon.report(host, ttl=3600)
        before = daemon.ok(f"/devices/{host}/metrics/current")
        product.kill()
        product.start()
        daemon = Daemon(product.urls["metrics"])
        assert daemon.ok(f"/devices/{host}/metrics/current") == before
        assert daemon.ok("/metrics/historic") == [{"id": "my-metric", "name": "my-metric"}]


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory, nats_server: EmbeddedNats) -> Iterator[Installation]:
    directory = tmp_path_factory.mktemp("production")
    with (
        start_postgres(directory / "postgres") as postgres,
        Installation(directory, postgres, nats_server, login_failures_per_minute="3").running() as installed,
    ):
        yield installed


@pytest.fixture(scope="module")
def stranger(production: Installation) -> Daemon:
    return Daemon(f"http://127.0.0.1:{production.environment['TIDEMARK_METRICS_PORT']}")


@pytest.mark.parametrize(
    "path",
    [
        "/metrics/current",
        "/metrics/unique",
        "/metrics/x/current",
        "/metrics/x/values",
        "/metrics/historic",
        "/metrics/x/historic/last/week",
        "/metrics/x/historic/1/2",
        "/devices/1/metrics/current",
        "/devices/1/metrics/historic",
        "/devices/1/metrics/x/historic/last/hour",
    ],
)
def test_in_production_reading_needs_a_token(production: Installation, stranger: Daemon, path: str) -> None:
    is_unauthorized(stranger.get(path), "no token found")
    is_unauthorized(stranger.get(path, headers={"Authorization": "Bearer zzz"}), "token is unauthorized")
    answer = stranger.get(path, headers=signed(production.environment["TIDEMARK_JWT_SECRET"]))
    assert answer.status_code in (200, 400, 404)


def test_in_production_it_says_that_it_lives_to_everybody(stranger: Daemon) -> None:
    assert stranger.ok("/status") == {"status": 200}


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_in_production_nobody_is_given_a_token(production: Installation, stranger: Daemon, method: str) -> None:
    for url in (stranger.url, f"{production.api}/mrd"):
        answer = Daemon(url).request(method, "/token", content=b"{}")
        assert (answer.status_code, answer.text) == (404, "404 page not found\n")


def test_failed_logins_count_as_everywhere(production: Installation, stranger: Daemon) -> None:
    with httpx.Client(base_url=production.api, timeout=20) as client:
        account = Api(client).register()
        wrong = {"user": {"login": account.username, "password": "wrong"}}
        statuses = [stranger.request("POST", "/users/sign_in.json", json=wrong).status_code for _ in range(4)]
        assert statuses == [401, 401, 401, 429]
        right = {"user": {"login": account.username, "password": PASSWORD}}
        assert stranger.request("POST", "/users/sign_in.json", json=right).status_code == 429
        login = client.post("/login", json={"username": account.username, "password": PASSWORD})
        assert login.status_code == 429


def test_without_a_token_nothing_is_reported_in_production(stranger: Daemon) -> None:
    is_unauthorized(stranger.put("1", metric()), "no token found")
