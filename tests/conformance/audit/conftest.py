import pytest

from tests.conformance.audit.client import Auditor
from tests.product import Product


@pytest.fixture(scope="session")
def auditor(product: Product) -> Auditor:
    return Auditor(product)
