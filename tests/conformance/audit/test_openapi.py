"""The document of the audit says what the running product does: schemathesis reads the one and asks the other."""

from typing import Any

import httpx
import pytest
import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import ignored_auth

from entrypoints.audit.openapi import document
from entrypoints.audit.routes import ROUTES
from tests.conformance.audit.client import Auditor
from tests.product import Product

pytestmark = pytest.mark.timeout(300)

CONFIG = SchemathesisConfig.from_dict(
    {
        "seed": 1,
        "generation": {
            "max-examples": 25,
            "deterministic": True,
            "database": "none",
            "allow-x00": False,
            "with-security-parameters": False,
        },
    }
)
SCHEMA: Any = schemathesis.openapi.from_dict(document(), config=CONFIG)


@SCHEMA.parametrize()
def test_every_answer_is_documented(case: Any, product: Product, auditor: Auditor) -> None:
    if case.query.get("format") == "sse" or "event-stream" in str(case.headers):
        case.query["format"] = "csv"  # a stream never ends; test_events.py reads it
    case.call_and_validate(
        base_url=f"{product.api}/audit", headers=auditor.headers, excluded_checks=[ignored_auth], timeout=30
    )


def test_the_document_is_served_to_everybody_and_has_every_route(product: Product) -> None:
    assert httpx.get(f"{product.api}/audit/openapi.json").json() == document()
    assert set(document()["paths"]) == set(ROUTES)
