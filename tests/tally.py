"""Adds up the reports of several pytest runs into one closing line: `python -m tests.tally FOLDER`."""

import sys
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree


class Tally(NamedTuple):
    passed: int
    failed: int
    skipped: int

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def tally(reports: Path) -> Tally:
    """Counts over every JUnit report in a folder; a test that could not start counts as failed."""
    tests = failed = skipped = 0
    for report in sorted(reports.glob("*.xml")):
        for suite in ElementTree.parse(report).getroot().iter("testsuite"):
            tests += int(suite.attrib["tests"])
            failed += int(suite.attrib["failures"]) + int(suite.attrib["errors"])
            skipped += int(suite.attrib["skipped"])
    return Tally(passed=tests - failed - skipped, failed=failed, skipped=skipped)


if __name__ == "__main__":
    total = tally(Path(sys.argv[1]))
    print(total)
    sys.exit(0 if total.passed and not total.failed else 1)
