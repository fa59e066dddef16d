from typing import Any

import httpx
import pytest

from tests.conformance.lambda_iot.client import Account, Api
from tests.conformance.metric_reporting.client import MOUNTS, Daemon, new_host
from tests.product import Product


@pytest.fixture(scope="session")
def account(product: Product) -> Account:
    with httpx.Client(base_url=product.api, timeout=20) as client:
        return Api(client).register()


@pytest.fixture(scope="session")
def person(product: Product, account: Account) -> Api:
    """Who registers devices."""
    return Api(httpx.Client(base_url=product.api, timeout=20, headers=account.headers))


@pytest.fixture(scope="session")
def all_mounts(product: Product, account: Account) -> dict[str, Daemon]:
    root = product.urls["metrics"]
    urls = (root, f"{product.api}/mrd", f"{root}/mrd")
    return {name: Daemon(url, account.headers) for name, url in zip(MOUNTS, urls, strict=True)}


@pytest.fixture(params=MOUNTS)
def mount(request: Any, all_mounts: dict[str, Daemon]) -> Daemon:
    """Each mount in turn, with a token that may report."""
    return all_mounts[request.param]


@pytest.fixture(scope="session")
def daemon(all_mounts: dict[str, Daemon]) -> Daemon:
    """On a port of its own, with a token that may report."""
    return all_mounts["3000"]


@pytest.fixture(scope="session")
def stranger(daemon: Daemon) -> Daemon:
    """Without a token."""
    return Daemon(daemon.url)


@pytest.fixture
def host(person: Api) -> str:
    """A device just registered, by the number that it is called."""
    return new_host(person)
