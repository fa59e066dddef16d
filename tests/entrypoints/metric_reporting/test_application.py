"""What whoever reports is told when it is not his fault."""

from dataclasses import fields
from datetime import UTC, datetime
from typing import Any, cast

import httpx
import pytest

from adapters.security.tokens import Tokens
from application.executor import CommandConflictError, OutcomeUnknownError, Overloaded
from application.ports import LogUnavailableError
from entrypoints.metric_reporting.application import MetricReporting
from entrypoints.metric_reporting.door import Door

SECRET = "4f1c0de9a7b35e28d6c1f04b9a8273e5"
BODY = b'{"name":"x","value":1,"units":"","type":"int8","slope":"both","ttl":5}'


class Failing:
    """Whatever is asked of it fails so."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def __getattr__(self, _: str) -> Any:
        async def fail(*_: Any, **__: Any) -> Any:
            raise self._error

        return fail


async def request(error: Exception, method: str, path: str) -> httpx.Response:
    tokens = Tokens(SECRET)
    parts: dict[str, Any] = {part.name: Failing(error) for part in fields(Door)}
    parts |= {"tokens": tokens, "read_auth": "open", "development": False, "clock": lambda: datetime.now(UTC)}
    door = Door(**parts)
    transport = httpx.ASGITransport(app=cast("Any", MetricReporting(door)))
    async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
        headers = {"Authorization": f"Bearer {tokens.issue_pass()}"}
        return await client.request(method, path, content=BODY, headers=headers)


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (LogUnavailableError("away"), "1"),
        (OutcomeUnknownError("hangs"), "5"),
        (CommandConflictError("busy"), "1"),
        (Overloaded("busy"), "1"),
    ],
)
@pytest.mark.parametrize(("method", "path"), [("PUT", "/1/metrics"), ("GET", "/metrics/current")])
async def test_what_is_away_is_told_so(error: Exception, seconds: str, method: str, path: str) -> None:
    answer = await request(error, method, path)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, seconds)
    body = answer.json()
    assert (body["status"], [one["title"] for one in body["errors"]]) == (503, ["Service Unavailable"])


async def test_a_defect_is_told_as_the_daemon_does() -> None:
    reported = await request(ZeroDivisionError("a defect"), "PUT", "/1/metrics")
    assert (reported.status_code, reported.json()) == (500, "")
    read = await request(ZeroDivisionError("a defect"), "GET", "/metrics/x/historic/last/hour")
    assert (read.status_code, read.json()["errors"][0]["title"]) == (500, "Internal Server Error")
    assert "defect" not in read.text
