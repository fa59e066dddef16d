from collections.abc import Iterator
from uuid import uuid4

import httpx
import pytest

from tests.product import Product


@pytest.fixture(scope="session")
def stranger(product: Product) -> Iterator[httpx.Client]:
    """Has no token."""
    with httpx.Client(base_url=product.api, timeout=60, trust_env=False) as client:
        yield client


@pytest.fixture(scope="session")
def analyst(product: Product) -> Iterator[httpx.Client]:
    """Has a token that permits analytics."""
    subject = f"analyst-{uuid4().hex[:12]}"
    token = product.run("token", "--subject", subject, "--scope", "analytics.read").split()[-1]
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=product.api, headers=headers, timeout=60, trust_env=False) as client:
        yield client
