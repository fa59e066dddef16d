"""One running product for each worker of the test run; tests keep apart by names and devices of their own."""

import shutil
from collections.abc import Generator, Iterator

import pytest

from tests.product import Product


@pytest.fixture(scope="session")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """`tidemark up`, shared: never stop it, and never count what others may have made."""
    directory = tmp_path_factory.mktemp("product")
    # Tests fail to log in on purpose, all of them from one address; what stops that has tests on a product of its own.
    with Product(directory, environment={"TIDEMARK_LOGIN_FAILURES_PER_MINUTE": "1000"}) as running:
        yield running
    shutil.rmtree(directory, ignore_errors=True)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failed test shows what the product logged meanwhile."""
    report = yield
    running = getattr(item, "funcargs", {}).get("product")
    if call.excinfo is not None and isinstance(running, Product):
        report.sections.append(("log of the product (end)", running.log(40)))
    return report
