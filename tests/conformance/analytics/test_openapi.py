"""The document of analytics has every route, and what it says of the ready-made ones is so."""

from typing import Any

import httpx
import pytest
import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import ignored_auth

from adapters.analytics.ready_made import ANALYSES
from entrypoints.analytics.openapi import document
from entrypoints.analytics.routes import ROUTES
from tests.conformance.audit.client import Auditor
from tests.product import Product

pytestmark = pytest.mark.timeout(300)

# Each question starts a process.
CONFIG = SchemathesisConfig.from_dict(
    {
        "seed": 1,
        "generation": {
            "max-examples": 3,
            "deterministic": True,
            "database": "none",
            "allow-x00": False,
            "with-security-parameters": False,
        },
    }
)
SCHEMA: Any = schemathesis.openapi.from_dict(document(), config=CONFIG)


@pytest.fixture(scope="session")
def analyst(product: Product) -> Auditor:
    return Auditor(product, "analytics.read")


@SCHEMA.include(method="GET").parametrize()
def test_every_answer_is_documented(case: Any, product: Product, analyst: Auditor) -> None:
    case.query.pop("since", None)  # which has to be before `until`, as the document can say in words only
    case.call_and_validate(
        base_url=f"{product.api}/analytics", headers=analyst.headers, excluded_checks=[ignored_auth], timeout=60
    )


def test_the_document_is_served_to_everybody_and_has_every_route(product: Product) -> None:
    assert httpx.get(f"{product.api}/analytics/openapi.json").json() == document()
    routes = {path for path in ROUTES if path != "/{analysis}"} | {f"/{name}" for name in ANALYSES}
    assert set(document()["paths"]) == routes


def test_the_document_is_only_read(product: Product) -> None:
    path = f"{product.api}/analytics/openapi.json"
    assert httpx.head(path).status_code == 200
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        refused = httpx.request(method, path)
        assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD")
        assert refused.json() == {"code": "method_not_allowed", "message": "There are GET, HEAD here"}
