import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.tally import Printer
from tests.product import Product


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str]) -> Printer:
    return Printer(capsys)


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    """Room for a product; emptied afterwards, because it is large and pytest would keep the last three."""
    yield tmp_path
    shutil.rmtree(tmp_path, ignore_errors=True)


@pytest.fixture
def product(directory: Path) -> Iterator[Product]:
    """A running product of the test's own, which it may kill."""
    running = Product(directory)
    try:
        running.start()
        yield running
    finally:
        running.kill()
