"""Nobody reads the log without the scope, not even on one's own machine."""

from collections.abc import Iterator

import httpx
import pytest

from tests.conformance.streams.client import fresh
from tests.product import Product

REQUESTS = [
    ("POST", "/analytics/query"),
    ("POST", "/analytics/replay"),
    ("GET", "/analytics"),
    ("GET", "/analytics/availability"),
]


@pytest.fixture(scope="module")
def auditor(product: Product) -> Iterator[httpx.Client]:
    """May read something else."""
    token = product.run("token", "--subject", fresh("auditor"), "--scope", "audit.read").split()[-1]
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=product.api, headers=headers, timeout=60, trust_env=False) as client:
        yield client


@pytest.mark.parametrize(("method", "path"), REQUESTS)
def test_without_a_token_nothing_is_told(stranger: httpx.Client, method: str, path: str) -> None:
    answer = stranger.request(method, path, json={"sql": "SELECT 1"})
    assert (answer.status_code, answer.json()["code"]) == (401, "no_token")
    assert answer.headers["www-authenticate"] == "Bearer"


def test_a_token_that_is_none_is_refused(stranger: httpx.Client) -> None:
    answer = stranger.get("/analytics", headers={"Authorization": "Bearer x"})
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_token")


@pytest.mark.parametrize(("method", "path"), REQUESTS)
def test_a_token_without_the_scope_is_refused(auditor: httpx.Client, method: str, path: str) -> None:
    answer = auditor.request(method, path, json={"sql": "SELECT 1"})
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert "analytics.read" in answer.json()["message"]


def test_other_paths_and_methods(analyst: httpx.Client) -> None:
    assert analyst.get("/analytics/nothing").status_code == 404
    assert analyst.get("/analytics/availability/more").status_code == 404
    answer = analyst.get("/analytics/query")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
