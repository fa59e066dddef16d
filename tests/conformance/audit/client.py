"""Whoever may read the audit, and somebody who may not."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID, uuid4

import httpx

from tests.product import Product


def bearer(product: Product, subject: str, *scopes: str) -> dict[str, str]:
    flags = [part for scope in scopes for part in ("--scope", scope)]
    return {"Authorization": f"Bearer {product.run('token', '--subject', subject, *flags).split()[-1]}"}


def fresh(prefix: str) -> str:
    return f"{prefix}-{uuid4().hex[:12]}"


class Auditor:
    def __init__(self, product: Product, *scopes: str) -> None:
        self.headers = bearer(product, fresh("auditor"), *(scopes or ("audit.read",)))
        self.http = httpx.Client(base_url=product.api, headers=self.headers, timeout=30, trust_env=False)

    def get(self, path: str, **query: str | int) -> httpx.Response:
        return self.http.get(f"/audit{path}", params=query)

    def events(self, **query: str | int) -> list[dict[str, Any]]:
        answer = self.get("/events", **query)
        assert answer.status_code == 200, answer.text
        events: list[dict[str, Any]] = answer.json()["events"]
        return events

    def json(self, path: str, **query: str | int) -> Any:
        answer = self.get(path, **query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    @contextmanager
    def tail(
        self, query: dict[str, str | int], headers: dict[str, str] | None = None
    ) -> Iterator[Iterator[dict[str, Any]]]:
        """Events as they come, over SSE."""
        accept = {"Accept": "text/event-stream", **(headers or {})}
        with self.http.stream("GET", "/audit/events", params=query, headers=accept) as answer:
            assert answer.status_code == 200
            assert answer.headers["content-type"] == "text/event-stream"
            lines = answer.iter_lines()
            assert next(lines) == ": the log follows"
            yield (json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: "))


class Person:
    """Somebody with an account, a conversation of its own, and a topic."""

    def __init__(self, product: Product) -> None:
        self.name, self.correlation = fresh("person"), fresh("conversation")
        self.http = httpx.Client(base_url=product.api, timeout=30, trust_env=False)
        self.id = UUID(self._post("/register", self.credentials, 201)["id"])
        token = self._post("/login", self.credentials, 200)["token"]
        self.http.headers["Authorization"] = f"Bearer {token}"

    @property
    def credentials(self) -> dict[str, str]:
        return {"username": self.name, "password": "secret-123"}

    def produce(self, topic: str, value: object) -> None:
        answer = self.http.post(
            f"/streams/v1/topic/{topic}/messages", json=value, headers={"X-Correlation-Id": self.correlation}
        )
        assert answer.status_code == 200, answer.text

    def _post(self, path: str, body: dict[str, str], status: int) -> dict[str, str]:
        answer = self.http.post(path, json=body)
        assert answer.status_code == status, answer.text
        told: dict[str, str] = answer.json()
        return told
