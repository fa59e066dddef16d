"""The document of privacy has every route, and what it says of them is so."""

from typing import Any

import httpx
import pytest
import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import ignored_auth

from entrypoints.privacy.openapi import document
from entrypoints.privacy.routes import ROUTES
from tests.conformance.audit.client import Auditor
from tests.product import Product

pytestmark = pytest.mark.timeout(300)

CONFIG = SchemathesisConfig.from_dict(
    {
        "seed": 1,
        "generation": {
            "max-examples": 100,
            "deterministic": True,
            "database": "none",
            "with-security-parameters": False,
        },
    }
)
SCHEMA: Any = schemathesis.openapi.from_dict(document(), config=CONFIG)


@pytest.fixture(scope="session")
def officer(product: Product) -> Auditor:
    return Auditor(product, "persons.forget")


@SCHEMA.parametrize()
def test_every_answer_is_documented(case: Any, product: Product, officer: Auditor) -> None:
    case.call_and_validate(
        base_url=f"{product.api}/privacy", headers=officer.headers, excluded_checks=[ignored_auth], timeout=60
    )


def test_the_document_is_served_to_everybody_and_has_every_route(product: Product) -> None:
    assert httpx.get(f"{product.api}/privacy/openapi.json").json() == document()
    assert {path: set(methods) for path, methods in document()["paths"].items()} == {
        path: {method.lower() for method in methods} for path, methods in ROUTES.items()
    }
