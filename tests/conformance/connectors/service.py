"""A connector's service, written from the protocol alone (contract connectors 2.7): it refuses what is not signed, and
calls the platform back while it is being asked."""

import json
import threading
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

import httpx
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

HUB = "/api/v1/connectorhub/callback"


class Asked(NamedTuple):
    method: str
    path: str
    body: Any
    status: int


class Answer(NamedTuple):
    status: int
    body: Any = None


class ConnectorService:
    """`answers` says what is answered, by method and first segment of the path, such as `POST /instances`; by default
    what the kit answers. `public_key` is told when the connector is published."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.public_key = ""
        self.platform = ""
        self.tokens: dict[str, str] = {}
        self.answers: dict[str, Callable[[Any], Answer]] = {}
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                service._serve(self)

            def do_DELETE(self) -> None:
                service._serve(self)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    @contextmanager
    def running(self) -> Iterator["ConnectorService"]:
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()

    def heard(self, method: str, path: str = "") -> list[Asked]:
        return [one for one in self.asked if one.method == method and one.path.startswith(path)]

    def call(self, method: str, path: str, token: str, body: Any = None) -> httpx.Response:
        """The platform, with a token that it gave."""
        headers = {"Authorization": f"Bearer {token}"}
        return httpx.request(
            method, f"{self.platform}{HUB}{path}", headers=headers, json=body, timeout=5, trust_env=False
        )

    def _serve(self, request: BaseHTTPRequestHandler) -> None:
        raw = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        answer = self._refusal(request, raw) or self._answered(request, raw)
        self.asked.append(Asked(request.command, request.path, json.loads(raw) if raw else None, answer.status))
        content = b"" if answer.body is None else json.dumps(answer.body).encode()
        request.send_response(answer.status)
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content)

    def _refusal(self, request: BaseHTTPRequestHandler, raw: bytes) -> Answer | None:
        """Case C76: as the kit refuses."""
        headers = request.headers
        if request.command == "POST" and headers.get("Content-Type") != "application/json":
            return _refused("BAD_CONTENT_TYPE")
        if not headers.get("Date"):
            return _refused("MISSING_HEADER")
        url = f"https://{headers['Host']}{request.path}"
        signed = f"(method):{request.command}\r\n(url):{url}\r\n(Date):{headers['Date']}\r\n(body):".encode() + raw
        try:
            key = Ed25519PublicKey.from_public_bytes(b64decode(self.public_key))
            key.verify(b64decode(headers.get("Signature") or ""), signed)
        except (InvalidSignature, ValueError):
            return _refused("BAD_SIGNATURE")
        return None

    def _answered(self, request: BaseHTTPRequestHandler, raw: bytes) -> Answer:
        body = json.loads(raw) if raw else None
        if isinstance(body, Mapping) and "token" in body:
            self.tokens[body["id"]] = body["token"]
        kind = f"{request.command} /{request.path.split('/')[1]}"
        if kind in self.answers:
            return self.answers[kind](body)
        return Answer(201 if kind in ("POST /installations", "POST /instances") else 204)


def _refused(word: str) -> Answer:
    return Answer(400, {"error": word, "description": "", "status": 400})


LAMP: dict[str, Any] = {
    "id": "",
    "name": "Lamp",
    "manufacturer": "Acme",
    "displayType": "LAMP",
    "mainComponentId": "lamp",
    "components": [
        {
            "id": "lamp",
            "name": "Lamp",
            "componentType": "core.Lamp",
            "capabilities": None,
            "properties": [
                {"id": "on", "name": "On", "type": "BOOLEAN", "value": "false", "lastUpdate": "0001-01-01T00:00:00Z"}
            ],
            "actions": [{"id": "setOn", "name": "On", "parameters": [{"name": "on", "type": "BOOLEAN"}]}],
        }
    ],
}
