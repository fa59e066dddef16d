import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.crash.tally import COUNTED, Printer
from tests.product import Product


@pytest.fixture
def printed(record_property: Callable[[str, object], None]) -> Printer:
    return Printer(record_property)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = [report for outcome in ("passed", "failed") for report in terminalreporter.getreports(outcome)]
    counted = [text for report in reports for name, text in report.user_properties if name == COUNTED]
    for line in counted:
        terminalreporter.write_line(str(line))


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
