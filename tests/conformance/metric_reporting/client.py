"""Metric reporting as its clients use it, on one of its mounts."""

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import count
from typing import Any, NamedTuple
from uuid import UUID

import httpx
import jwt

from adapters.eventstore.log import PostgresEventLog
from adapters.eventstore.mapper import Mapper
from application.executor import CommandExecutor
from application.metrics.reports import ReportMetrics
from domain.catalogue import CATALOGUE
from domain.event import Origin
from domain.metrics.report import Draft, check
from entrypoints.composition import HANDLERS
from entrypoints.data_directory import DataDirectory
from tests.conformance.lambda_iot.client import Api
from tests.conformance.lambda_iot.registry import DEVICE, id_of
from tests.product import Product
from tests.waiting import eventually

SECONDS = 30.0
MOUNTS = ("3000", "8080/mrd", "3000/mrd")
JSON = "application/json; charset=utf-8"
TEXT = "text/plain; charset=utf-8"

NUMBERS = count(int(time.time()) * 1000)


class Daemon:
    """One mount. `url` is without a slash at its end; `headers` go with every request."""

    def __init__(self, url: str, headers: Mapping[str, str] | None = None) -> None:
        self.url = url
        self.client = httpx.Client(timeout=SECONDS, headers=dict(headers or {}), trust_env=False)

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        answer = self.client.request(method, f"{self.url}{path}", **options)
        assert not answer.is_redirect
        return answer

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.request("GET", path, **options)

    def put(self, device: str, body: Any, **options: Any) -> httpx.Response:
        """`body`: bytes and text as they are, everything else as JSON."""
        content = body if isinstance(body, bytes | str) else json.dumps(body).encode()
        return self.request("PUT", f"/{device}/metrics", content=content, **options)

    def report(self, device: str, **fields: Any) -> None:
        """Must be taken."""
        is_done(self.put(device, metric(**fields)))

    def ok(self, path: str) -> Any:
        answer = self.get(path)
        assert answer.status_code == 200, f"{path} → {answer.status_code} {answer.text}"
        assert answer.headers["content-type"] == JSON
        return answer.json()

    def value(self, device: str, name: str) -> Any:
        """What the device's metric is now; it must have one."""
        [found] = [one for one in self.ok(f"/devices/{device}/metrics/current") if one["name"] == name]
        return found["value"]


def metric(**changed: Any) -> dict[str, Any]:
    """The document's sample, with other fields; those that are `...` are left out."""
    sample = {"name": "my-metric", "value": 12, "units": "my-units", "type": "uint32", "slope": "both", "ttl": 180}
    return {name: value for name, value in (sample | changed).items() if value is not ...}


def new_name(prefix: str = "metric") -> str:
    """Of a metric that no other test has, because lists over all devices are shared."""
    return f"{prefix}.{next(NUMBERS)}"


def new_host(person: Api, **fields: Any) -> str:
    """How a device just registered is called: a number, as Concertim's."""
    device = {**DEVICE, "external_id": str(next(NUMBERS)), **fields}
    made = person.post("/devices", device)
    assert made.status_code == 201, made.text
    return str(device["external_id"])


def new_unnamed_host(person: Api) -> str:
    made = person.post("/devices", DEVICE)
    assert made.status_code == 201, made.text
    return id_of(made)


def secret_of(product: Product) -> str:
    secret = DataDirectory(product.data_dir).jwt_secret()
    assert secret
    return secret


def signed(secret: str, algorithm: str = "HS256", **claims: Any) -> dict[str, str]:
    """A header with a token that says this and no more."""
    return {"Authorization": f"Bearer {jwt.encode(claims, secret, algorithm)}"}


def is_done(answer: httpx.Response) -> None:
    assert (answer.status_code, answer.text) == (200, '{"status":200}\n'), answer.text
    assert answer.headers["content-type"] == JSON


def is_refused(answer: httpx.Response, status: int, title: str, detail: str | None = None) -> None:
    """With one error, which has no more than a title and a detail."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == JSON
    body = answer.json()
    assert list(body) == ["errors", "status"]
    assert body["status"] == status
    [error] = body["errors"]
    assert list(error) == ["title", "detail"]
    assert error["title"] == title
    assert error["detail"] if detail is None else error["detail"] == detail


def is_unparsable(answer: httpx.Response) -> None:
    is_refused(answer, 400, "error parsing JSON body")


def is_invalid(answer: httpx.Response, *faults: tuple[str, str, str]) -> None:
    """With these faults: title, detail and source of each."""
    expected = [{"status": 422, "title": title, "detail": detail, "source": source} for title, detail, source in faults]
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == JSON
    assert answer.json() == {"errors": expected, "status": 422}


def is_unauthorized(answer: httpx.Response, text: str) -> None:
    assert (answer.status_code, answer.text) == (401, f"{text}\n")
    assert answer.headers["content-type"] == TEXT
    assert answer.headers["x-content-type-options"] == "nosniff"


def is_not_found(answer: httpx.Response, what: str) -> None:
    is_refused(answer, 404, "Not Found", f"{what} not found")


class Past(NamedTuple):
    """What was reported so many seconds after the beginning of a past."""

    after: int
    value: float
    ttl: int = 5


def report_in_the_past(product: Product, device_id: UUID, name: str, begin: int, reports: Sequence[Past]) -> None:
    """Takes reports down as they would have been taken down then: by a process of ours whose clock is slow."""

    async def record() -> None:
        now = begin

        def clock() -> datetime:
            return datetime.fromtimestamp(now, UTC)

        origin = Origin(actor="token", source="http", correlation_id="past")
        async with (
            PostgresEventLog(product.urls["postgres"], Mapper(CATALOGUE)) as log,
            CommandExecutor(log, HANDLERS, clock).running() as executor,
        ):
            for past in reports:
                now = begin + past.after
                draft = Draft(name=name, value=past.value, units="", type="double", slope="both", ttl=past.ttl)
                await executor.execute(ReportMetrics(device_id=device_id, reports=(check(draft),)), origin)

    asyncio.run(record())


def until_seen(daemon: Daemon, device: str, name: str) -> None:
    """Waits until the worker has applied what another process recorded."""
    eventually(lambda: name in [one["id"] for one in daemon.ok(f"/devices/{device}/metrics/historic")])
