"""What an examination comes to."""

from enum import Enum
from typing import NamedTuple


class Verdict(Enum):
    GOOD = "✓"
    NOTE = "·"
    BAD = "✗"


class Finding(NamedTuple):
    """`advice` says what to do when it is bad."""

    verdict: Verdict
    what: str
    detail: str
    advice: str = ""


def good(what: str, detail: str) -> Finding:
    return Finding(Verdict.GOOD, what, detail)


def note(what: str, detail: str) -> Finding:
    return Finding(Verdict.NOTE, what, detail)


def bad(what: str, detail: str, advice: str) -> Finding:
    return Finding(Verdict.BAD, what, detail, advice)
