"""Every way there is to read something of the product, and what is read there."""

import asyncio
import json
import re
import time
from base64 import b64decode
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import product as combinations
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import duckdb
import httpx
import nats
import psycopg
from nats.js.api import ConsumerConfig, DeliverPolicy

from entrypoints.analytics.routes import ROUTES as ANALYTICS
from entrypoints.audit.routes import ROUTES as AUDIT
from entrypoints.cloud_connector.routes import ROUTES as CLOUD_CONNECTOR
from entrypoints.connectors.routes import ROUTES as CONNECTORS
from entrypoints.lambda_iot.openapi.document import document as lambda_iot
from entrypoints.metric_reporting.routes import ROUTES as METRICS
from entrypoints.privacy.openapi import document as privacy
from entrypoints.streams.routes import ALL as STREAMS
from tests.conformance.audit.client import fresh
from tests.conformance.streams.client import Streams
from tests.product import Product

# Streams have no end: so long is listened to them.
LISTEN_SECONDS = 0.5
SUBJECT = "X-External-Subject-Id"

# A rule that tells all it sees.
EVERYTHING = "def evolve(state, event):\n    return [*(state or []), event]\n"

_PARAMETER = re.compile(r"{(\w+)}")


class Found(NamedTuple):
    """What stands at a place, which is the template of a path where it is one; `status` is 0 where that is no
    answer."""

    place: str
    status: int
    text: str


@dataclass(frozen=True)
class Walk:
    """`known` are the values that a parameter of a path may have, by its name; what has none there has any of `ids`."""

    product: Product
    headers: Mapping[str, str]
    subjects: Collection[str]
    ids: Collection[str]
    known: Mapping[str, Collection[str]]
    moments: Sequence[str] = field(default_factory=tuple)

    def everywhere(self, scratch: Path) -> Iterator[Found]:
        yield from self.but_through_the_command_line(scratch)
        yield from self.through_the_command_line(scratch)

    def but_through_the_command_line(self, scratch: Path) -> Iterator[Found]:
        """Everywhere else: it shows what is in these tables, and takes as long as all of this."""
        yield from self.over_http()
        yield from self.of_the_log_as_topics()
        yield from self.of_files(scratch)
        yield from self.of_the_database()
        yield from self.on_nats()
        yield Found("log of the product", 0, self.product.log(1_000_000))

    # Over HTTP

    def routes(self) -> Mapping[str, Collection[str]]:
        """The paths that can be asked for with GET, by contract: from the tables by which requests find their way, or
        from the document that is tested against them."""

        def documented(document: Mapping[str, Any]) -> Collection[str]:
            return [path for path, methods in document["paths"].items() if "get" in methods]

        def read(routes: Mapping[str, Mapping[str, Any]], prefix: str = "") -> Collection[str]:
            return [prefix + path for path, methods in routes.items() if "GET" in methods]

        return {
            "lambda iot": documented(lambda_iot()),
            "cloud connector": read(CLOUD_CONNECTOR, "/connector"),
            "connectors": read(CONNECTORS),
            "metric reporting": read(METRICS, "/mrd"),
            "streams": read(STREAMS, "/streams"),
            "audit": [*read(AUDIT, "/audit"), "/audit/openapi.json"],
            "analytics": [*read(ANALYTICS, "/analytics"), "/analytics/openapi.json"],
            "privacy": [*documented(privacy()), "/privacy/openapi.json"],
            "operators": ["/health/live", "/health/ready", "/metrics", "/projections"],
        }

    def over_http(self) -> Iterator[Found]:
        # Below their other mounts stand the same applications.
        api = self.product.api
        with httpx.Client(headers=self.headers, timeout=30, trust_env=False, follow_redirects=False) as http:
            for template in [template for templates in self.routes().values() for template in templates]:
                for path in self._filled(template):
                    yield from self._asked(http, template, api + path)
            for format in ("application/x-ndjson", "text/csv"):
                yield _answered(http.get(f"{api}/audit/events", params={"limit": 500}, headers={"Accept": format}))
            for sql in ("SELECT * FROM events", "SELECT DISTINCT actor FROM events"):
                yield _answered(http.post(f"{api}/analytics/query", json={"sql": sql}))
            yield _answered(http.post(f"{api}/analytics/replay", json={"python": EVERYTHING, "beside": [""]}))

    def _filled(self, template: str) -> Iterator[str]:
        names = _PARAMETER.findall(template)
        for values in combinations(*(self.known.get(name, self.ids) for name in names)):
            path = template
            for name, value in zip(names, values, strict=True):
                path = path.replace(f"{{{name}}}", quote(value, safe=""))
            yield path

    def _asked(self, http: httpx.Client, template: str, url: str) -> Iterator[Found]:
        for subject in self.subjects if template.startswith("/api/v1/") else [""]:
            headers = {SUBJECT: subject} if subject else {}
            for moment in ("", *self.moments):
                status, text = _heard(http, url, headers, {"as_of": moment} if moment else {})
                yield Found(f"GET {template}", status, text)

    # Elsewhere

    def of_the_log_as_topics(self) -> Iterator[Found]:
        streams, id = Streams(self.product, self.headers), fresh("walker")
        topics = ["$events.identity", "$events.connectors", "$events.devices"]
        streams.joined(id, fresh("group"), *topics)
        heard = 0
        deadline = time.monotonic() + 30
        while (time.monotonic() < deadline and (items := streams.items(id))) or not heard:
            heard += 1
            yield Found("topics of the log", 0, json.dumps(items))

    def through_the_command_line(self, scratch: Path) -> Iterator[Found]:
        run = self.product.run
        rule = scratch / "rule.py"
        rule.write_text(EVERYTHING)
        commands = [
            ["events", "--from", "1", "--json"],
            ["events", "--from", "1"],
            ["audit", "events", "--limit", "10000"],
            ["audit", "events", "--limit", "10000", "--json"],
            ["replay", "--rule", str(rule)],
            *(["query", "SELECT * FROM events", "--format", form] for form in ("table", "json")),
            ["analyse", "busiest-actors"],
            ["audit", "proof", "1"],
            ["verify"],
            ["doctor"],
            *(["audit", what, "identity", id] for what in ("history", "state") for id in self.known["user"]),
            *(["audit", what, "connectors", id] for what in ("history", "state") for id in self.known["client"]),
            *(
                ["audit", "state", "identity", id, "--as-of", one]
                for id in self.known["user"]
                for one in self.moments[-1:]
            ),
            *(["audit", "trace", id] for id in self.known["correlation"]),
        ]
        for command in commands:
            yield Found(f"tidemark {' '.join(command[:2])}", 0, run(*command))

    def of_files(self, scratch: Path) -> Iterator[Found]:
        """What leaves the house: exports, and the log for whoever proves it."""
        export, log = scratch / fresh("export"), scratch / f"{fresh('log')}.jsonl"
        yield Found("tidemark export", 0, self.product.run("export", "--output", str(export)))
        for path in export.rglob("*.parquet"):
            yield Found("Parquet", 0, repr(duckdb.read_parquet(str(path)).fetchall()))
        yield Found("tidemark export-log", 0, self.product.run("export-log", str(log)))
        yield Found("log for proofs", 0, _decoded(log.read_text()))

    def of_the_database(self) -> Iterator[Found]:
        with psycopg.connect(self.product.urls["postgres"]) as connection:
            tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
            for (table,) in tables:
                rows = connection.execute(f'SELECT * FROM "{table}"'.encode()).fetchall()
                yield Found(f"table {table}", 0, repr(rows))

    def on_nats(self) -> Iterator[Found]:
        for message in asyncio.run(_messages(self.product)):
            yield Found("NATS", 0, f"{message.headers} {message.data!r}")


def _heard(http: httpx.Client, url: str, headers: Mapping[str, str], query: Mapping[str, str]) -> tuple[int, str]:
    """Status and text, also of what comes in pieces and has no end."""
    status, text = 0, ""
    with suppress(httpx.ReadTimeout), http.stream("GET", url, headers=headers, params=query) as answer:
        status, text = answer.status_code, f"{answer.headers}"
        is_endless = "text/event-stream" in answer.headers.get("content-type", "")
        if is_endless:
            answer.request.extensions["timeout"]["read"] = LISTEN_SECONDS
        deadline = time.monotonic() + LISTEN_SECONDS
        for piece in answer.iter_text():
            text += piece
            if is_endless and time.monotonic() > deadline:
                break
    return status, text


def _answered(answer: httpx.Response) -> Found:
    assert answer.status_code == 200, answer.text
    return Found(f"{answer.request.method} {answer.url.path}", answer.status_code, answer.text)


def _decoded(lines: str) -> str:
    """With whatever is in Base64 as it is."""
    texts = re.findall(r'"([A-Za-z0-9+/=]{24,})"', lines)
    return lines + " ".join(b64decode(text + "==").decode("latin-1") for text in texts)


async def _messages(product: Product) -> list[Any]:
    """Everything that lies in any stream."""
    connection = await nats.connect(product.urls["nats"])
    try:
        context = connection.jetstream()
        found = []
        for stream in await context.streams_info():
            wants = ConsumerConfig(deliver_policy=DeliverPolicy.ALL)
            subscription = await context.subscribe(">", stream=stream.config.name, ordered_consumer=True, config=wants)
            found += [await subscription.next_msg(timeout=15) for _ in range(stream.state.messages)]
        return found
    finally:
        await connection.close()


def naming(found: Iterable[Found], names: Collection[str]) -> Iterator[tuple[str, str]]:
    """Where one of the names stands, and which, in whatever capitals."""
    for place, _, text in found:
        folded = text.casefold()
        yield from ((place, name) for name in names if name.casefold() in folded)
