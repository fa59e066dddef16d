import pytest

from tests.conformance.streams.client import Streams, fresh
from tests.product import Product


@pytest.fixture(scope="session")
def streams(product: Product) -> Streams:
    return Streams(product)


@pytest.fixture
def topic() -> str:
    return fresh("topic")


@pytest.fixture
def group() -> str:
    return fresh("group")
