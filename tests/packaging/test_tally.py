"""The closing line counts what ran."""

from pathlib import Path

from tests.tally import Tally, tally

REPORT = '<testsuites><testsuite tests="{}" failures="{}" errors="{}" skipped="{}"/></testsuites>'


def test_reports_are_added_up(tmp_path: Path) -> None:
    (tmp_path / "unit.xml").write_text(REPORT.format(10, 1, 1, 2))
    (tmp_path / "crash.xml").write_text(REPORT.format(5, 0, 0, 0))
    assert tally(tmp_path) == Tally(passed=11, failed=2, skipped=2)
    assert str(tally(tmp_path)) == "11 passed, 2 failed, 2 skipped"


def test_no_report_counts_nothing(tmp_path: Path) -> None:
    assert tally(tmp_path) == Tally(0, 0, 0)
