from collections.abc import Iterator

import httpx
import pytest

from tests.conformance.lambda_iot.client import Api
from tests.conformance.metric_agents.agent import Agent
from tests.product import Product


@pytest.fixture(scope="session")
def agent(product: Product) -> Iterator[Agent]:
    """Reports on the listener of metrics, with the token of a registered user."""
    with httpx.Client(base_url=product.api, timeout=20) as anybody:
        account = Api(anybody).register()
    api = Agent(product.api, product.urls["metrics"], account.headers)
    yield api
    api.close()
