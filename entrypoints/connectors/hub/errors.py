"""How it is told to services what went wrong: the status in a body is a number (contract connectors 2.3)."""

import msgspec

from entrypoints.connectors.errors import JSON, Refusal
from entrypoints.exchange import Answer


class _ErrorView(msgspec.Struct):
    error: str
    description: str
    status: int


def answered(refusal: Refusal) -> Answer:
    view = _ErrorView(refusal.word, refusal.text, refusal.status)
    return Answer(msgspec.json.encode(view), refusal.status, refusal.headers, JSON)
