from collections.abc import Iterator
from typing import Any

import pytest

from tests.conformance.cloud_connector.client import MOUNTS, Connector, mounts
from tests.conformance.cloud_connector.device import SocketDevice
from tests.product import Product


@pytest.fixture(scope="session")
def all_mounts(product: Product) -> dict[str, Connector]:
    return mounts(product)


@pytest.fixture(params=MOUNTS)
def mount(request: Any, all_mounts: dict[str, Connector]) -> Connector:
    """The connector on each of its mounts in turn, as the cases with † want it."""
    return all_mounts[request.param]


@pytest.fixture(scope="session")
def connector(all_mounts: dict[str, Connector]) -> Connector:
    """The connector on a listener of its own."""
    return all_mounts["9090"]


@pytest.fixture
def device(connector: Connector) -> Iterator[SocketDevice]:
    """Connected; it answers at once."""
    with connector.device() as connected:
        yield connected
