from collections.abc import Iterator

import httpx
import pytest

from tests.conformance.lambda_iot.client import Api
from tests.fleet import MqttDevice
from tests.product import Product


@pytest.fixture(scope="session")
def anybody(product: Product) -> Iterator[Api]:
    """The API without a token."""
    with httpx.Client(base_url=product.api, timeout=20) as client:
        yield Api(client)


@pytest.fixture(scope="session")
def person(product: Product, anybody: Api) -> Iterator[Api]:
    """The API with the token of a registered user."""
    account = anybody.register()
    with httpx.Client(base_url=product.api, timeout=20, headers=account.headers) as client:
        yield Api(client)


@pytest.fixture
def device(product: Product) -> Iterator[MqttDevice]:
    """A connected device with a MAC of its own that has announced nothing yet."""
    with MqttDevice(product.urls["mqtt"]) as connected:
        yield connected


@pytest.fixture
def known(device: MqttDevice, person: Api) -> MqttDevice:
    """A device that has announced one sensor and one actor and is listed."""
    device.announce()
    person.sees_device(device)
    return device


@pytest.fixture
def another(product: Product, person: Api) -> Iterator[MqttDevice]:
    """A second device, announced and listed like the first."""
    with MqttDevice(product.urls["mqtt"]) as connected:
        connected.announce()
        person.sees_device(connected)
        yield connected
