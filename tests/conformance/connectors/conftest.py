import httpx
import pytest

from tests.conformance.connectors.client import App
from tests.product import Product


@pytest.fixture
def app(product: Product) -> App:
    """With a token that may do everything."""
    return App(product)


@pytest.fixture
def with_instance(app: App) -> App:
    """The same, with an instance of the simulator."""
    app.instance(tick_ms=100)
    return app


@pytest.fixture
def stranger(product: Product) -> httpx.Client:
    """Without a token."""
    return httpx.Client(base_url=f"{product.api}/api/v1", timeout=30, trust_env=False)
