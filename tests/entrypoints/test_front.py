"""What stands before every application: ids, measures, pages."""

from typing import Any

import pytest

from entrypoints.correlation import correlation_id
from entrypoints.metrics import Metrics
from entrypoints.operations import pages
from entrypoints.operations.front import Front
from entrypoints.operations.pages import Message, Receive, Scope, Send
from entrypoints.operations.readiness import NotReadyError, Readiness


async def echo(scope: Scope, _: Receive, send: Send) -> None:
    """Answers the path and the id of the conversation."""
    scope["path_template"] = "/echo/{id}"
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": f"{scope['path']} {correlation_id()}".encode()})


async def broken(_: Scope, __: Receive, ___: Send) -> None:
    raise RuntimeError("a defect with password=hunter2")


async def ask(
    app: Any, path: str = "/echo/1", method: str = "GET", **headers: str
) -> tuple[int, dict[str, str], bytes]:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request", "body": b""}

    given = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": method, "path": path, "raw_path": path.encode(), "headers": given}
    await app(scope, receive, send)
    shown = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], shown, b"".join(message.get("body", b"") for message in sent[1:])


def front(app: Any = echo, **operators: Any) -> tuple[Front, Metrics]:
    metrics = Metrics("api")
    listed = {f"/health/{name}": page for name, page in operators.items()}
    return Front("api", app, {"/metrics": pages.metrics_page(metrics), **listed}, metrics.http), metrics


@pytest.mark.parametrize("header", ["x_correlation_id", "x_request_id"])
async def test_a_safe_id_is_taken_over_and_given_back(header: str) -> None:
    _, headers, body = await ask(front()[0], **{header: "order-4711"})
    assert headers["x-request-id"] == "order-4711"
    assert body == b"/echo/1 order-4711"


async def test_the_correlation_goes_before_the_request() -> None:
    _, headers, _ = await ask(front()[0], x_request_id="request", x_correlation_id="correlation")
    assert headers["x-request-id"] == "correlation"


@pytest.mark.parametrize("given", ["", "a b", "x" * 65, "<script>"])
async def test_an_unsafe_id_is_replaced(given: str) -> None:
    _, headers, _ = await ask(front()[0], x_correlation_id=given)
    assert headers["x-request-id"] != given
    assert len(headers["x-request-id"]) == 32


async def test_doubled_slashes_are_collapsed() -> None:
    _, _, body = await ask(front()[0], "//echo///1", x_request_id="i")
    assert body == b"/echo/1 i"


async def test_a_defect_is_an_answer_without_its_reason() -> None:
    status, headers, body = await ask(front(broken)[0])
    assert (status, body) == (500, b'{"error":"internal server error"}')
    assert headers["x-request-id"]


async def test_requests_are_counted_by_route_and_not_by_path() -> None:
    app, _ = front()
    for number in range(3):
        await ask(app, f"/echo/{number}")
    _, headers, page = await ask(app, "/metrics")
    line = 'tidemark_http_requests_total{listener="api",method="GET",process="api",route="/echo/{id}",status="200"} 3.0'
    assert line in page.decode().splitlines()
    assert headers["content-type"].startswith("text/plain")


async def test_a_process_shows_the_metrics_of_another_beside_its_own() -> None:
    metrics, worker = Metrics("api"), Metrics("worker")
    metrics.commands.batch_committed(3, 4, 0.001, 9)
    worker.commands.batch_committed(5, 6, 0.001, 9)
    worker.devices.readings_rejected(2)
    page = metrics.page([worker.page().decode()]).decode()
    assert 'tidemark_commands_total{process="api"} 3.0' in page
    assert 'tidemark_commands_total{process="worker"} 5.0' in page
    assert 'tidemark_mqtt_readings_total{outcome="rejected",process="worker"} 2.0' in page
    assert page.count("# TYPE tidemark_commands_total") == 1


async def test_readiness_tells_every_finding() -> None:
    async def well() -> str:
        return "answers"

    async def unwell() -> str:
        raise NotReadyError("NATS does not answer")

    app, _ = front(ready=pages.ready(Readiness({"database": well})), not_ready=pages.ready(Readiness({"nats": unwell})))
    assert (await ask(app, "/health/ready"))[0] == 200
    status, _, body = await ask(app, "/health/not_ready")
    assert status == 503
    assert b'"nats":{"ok":false,"detail":"NATS does not answer"}' in body


async def test_a_page_of_operators_is_for_reading() -> None:
    app, _ = front(live=pages.live())
    status, headers, _ = await ask(app, "/health/live", "POST")
    assert (status, headers["allow"]) == (405, "GET, HEAD")
    status, headers, body = await ask(app, "/health/live", "HEAD")
    assert (status, headers["content-length"], body) == (200, "18", b"")
