"""Connectors as an app uses them: with a token of its own, on behalf of subjects."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

import httpx

from adapters.security.tokens import Tokens
from domain.identifiers import user_id
from entrypoints.data_directory import DataDirectory
from tests.product import Product
from tests.waiting import eventually

SECONDS = 30.0
JSON = "application/json; charset=utf-8"
MANAGE = "connctd.connector"
READ = "connctd.things.read"
ACT = "connctd.things.action"
NOBODY = "00000000-0000-4000-8000-000000000000"

Body = Mapping[str, Any]


def token_of(product: Product, name: str, *scopes: str) -> str:
    secret = DataDirectory(product.data_dir).jwt_secret()
    assert secret is not None
    return Tokens(secret).issue(name, user_id(name), scopes=scopes)


class App:
    """One app. Nobody else has its instances, so that tests keep apart."""

    def __init__(self, product: Product, *scopes: str, name: str = "", bare: bool = False) -> None:
        self.product = product
        self.name = name or f"app-{uuid4().hex[:12]}"
        token = token_of(product, self.name, *(scopes or (MANAGE, READ, ACT)))
        self.client = httpx.Client(
            base_url=f"{product.api}/api/v1",
            timeout=SECONDS,
            headers={"Authorization": token if bare else f"Bearer {token}"},
            trust_env=False,
        )

    def request(self, method: str, path: str, subject: str | None = None, **options: Any) -> httpx.Response:
        headers = {**options.pop("headers", {}), **({"X-External-Subject-Id": subject} if subject else {})}
        return self.client.request(method, path, headers=headers, follow_redirects=False, **options)

    def get(self, path: str, subject: str | None = None, **options: Any) -> httpx.Response:
        return self.request("GET", path, subject, **options)

    def post(self, path: str, body: Any, subject: str | None = None, **options: Any) -> httpx.Response:
        return self.request("POST", path, subject, json=body, **options)

    def delete(self, path: str, subject: str | None = None) -> httpx.Response:
        return self.request("DELETE", path, subject)

    def try_instance(self, type_id: str = "simulator", /, **configuration: Any) -> httpx.Response:
        return self.post("/connectors/instances", _body(type_id, configuration))

    def instance(self, type_id: str = "simulator", /, **configuration: Any) -> str:
        """The id of a new one."""
        answer = self.try_instance(type_id, **configuration)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def try_client(self, subject: str = "s1", type_id: str = "simulator", /, **configuration: Any) -> httpx.Response:
        return self.post("/connectors/clients", _body(type_id, configuration), subject)

    def new_client(self, subject: str = "s1", type_id: str = "simulator", /, **configuration: Any) -> str:
        """The id of a new one."""
        answer = self.try_client(subject, type_id, **configuration)
        assert answer.status_code in (201, 303), answer.text
        return str(answer.json()["id"])

    def shown(self, client_id: str, subject: str = "s1") -> Any:
        answer = self.get(f"/connectors/clients/{client_id}", subject)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def becomes(self, client_id: str, status: str, subject: str = "s1", things: int = 0) -> Any:
        """Waits until the client has the status, and so many things at least; returns how it is shown then."""

        def look() -> Any:
            seen = self.shown(client_id, subject)
            assert seen["status"] == status, seen
            assert len(seen["mappings"]) >= things, seen
            return seen

        return eventually(look, seconds=30)

    def started(self, subject: str = "s1", type_id: str = "simulator", /, **configuration: Any) -> tuple[str, str]:
        """The ids of a client that has started and of its first thing."""
        client_id = self.new_client(subject, type_id, **configuration)
        shown = self.becomes(client_id, "STARTED", subject, things=1)
        return client_id, str(shown["mappings"][0]["thing_id"])

    def property(self, thing: str, component: str, name: str, subject: str = "s1") -> Any:
        answer = self.get(f"/things/{thing}/components/{component}/properties/{name}", subject)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def act(self, thing: str, component: str, action: str, body: Body, subject: str = "s1") -> httpx.Response:
        return self.post(f"/things/{thing}/components/{component}/actions/{action}", body, subject)


def is_error(answer: httpx.Response, status: int, word: str, description: str | None = None) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == JSON
    body = answer.json()
    assert set(body) == {"status", "error", "description", "more_info"}
    assert (body["status"], body["error"]) == (str(status), word)
    assert body["more_info"].endswith(f"/errors/{word.lower()}")
    if description is not None:
        assert body["description"] == description


def hrefs(answer: httpx.Response) -> Sequence[str]:
    assert answer.status_code == 200, answer.text
    assert all(set(one) == {"href"} for one in answer.json())
    return [one["href"] for one in answer.json()]


def _body(type_id: str, configuration: Body) -> Body:
    return {"connector_type_id": type_id, "configuration": dict(configuration)}
