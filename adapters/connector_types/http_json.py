"""Polls a JSON document over HTTP; what is in it are things (contract connectors 5.2)."""

import asyncio
import re
from base64 import b64encode
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote, urlsplit

import msgspec

from adapters.connector_types.mapping import (
    MappedAction,
    check_pointer,
    described,
    mapped_actions,
    mapped_properties,
    pointed,
    text_at,
    values_in,
)
from adapters.connector_types.surroundings import Surroundings
from adapters.outgoing import ForbiddenAddressError, Outgoing, OutgoingAnswer, UnreachableError
from application.connectors.configuration import (
    Configuration,
    ConfigurationInvalidError,
    Setting,
    check,
    with_defaults,
)
from application.connectors.connector_type import (
    ActionOutcome,
    AskedOfThing,
    ClientLine,
    ClientSettings,
    Description,
    OutageError,
    RefusedError,
)
from domain.connectors.client import TooManyThingsError

DOCUMENT: Final = "document"
_METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
_LARGEST_DOCUMENT: Final = 4 * 1024 * 1024
_PLACEHOLDER = re.compile(r"\{([^{}]+)\}")

_INSTANCE = (
    Setting("base_url", "string", required=True),
    # They may hold whatever lets us in.
    Setting("headers", "object", default={}, secret=True),
    Setting("bearer_token", "string"),
    Setting("basic_user", "string"),
    Setting("basic_password", "string"),
    Setting("timeout_s", "number", default=5, least=0.1, most=60),
    Setting("verify_tls", "boolean", default=True),
)
_CLIENT = (
    Setting("path", "string", required=True),
    Setting("interval_s", "number", default=30, least=1, most=86_400),
    Setting("things_pointer", "string", default=""),
    Setting("id_pointer", "string", default="/id"),
    Setting("name_pointer", "string"),
    Setting("properties", "list", required=True),
    Setting("actions", "list", default=[]),
)


class HttpJson:
    description = Description(
        number=2,
        type_id="http-json",
        name="JSON over HTTP",
        description="Polls a document; each object in it is a thing",
        logo="",
        sample_instance={
            "connector_type_id": "http-json",
            "configuration": {"base_url": "http://127.0.0.1:8000", "bearer_token": "abc"},
        },
        sample_client={
            "connector_type_id": "http-json",
            "configuration": {
                "path": "/rooms.json",
                "interval_s": 30,
                "name_pointer": "/name",
                "properties": [{"id": "temperature", "pointer": "/temperature", "type": "NUMBER", "unit": "°C"}],
            },
        },
    )

    def __init__(self, surroundings: Surroundings) -> None:
        self._outgoing = surroundings.outgoing

    def check_instance(self, given: Mapping[str, Any]) -> Configuration:
        checked = check(_INSTANCE, given)
        parts = urlsplit(str(checked.open["base_url"]))
        if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc or parts.query:
            raise ConfigurationInvalidError("base_url", "is no http or https URL")
        headers = checked.secrets.get("headers", {})
        if not all(isinstance(value, str) and value.isprintable() for value in headers.values()):
            raise ConfigurationInvalidError("headers", "is no object of strings")
        return checked

    def check_client(self, given: Mapping[str, Any], instance: Mapping[str, Any], subject: str) -> Configuration:
        checked = check(_CLIENT, given)
        _below(str(instance["base_url"]), str(checked.open["path"]), "path")
        for name in ("things_pointer", "id_pointer", "name_pointer"):
            check_pointer(name, checked.open.get(name, ""))
        mapped_properties(checked.open, required=True)
        for action in mapped_actions(checked.open):
            _check_action(action, str(instance["base_url"]))
        return checked

    def open(self, client: ClientSettings, line: ClientLine) -> "PolledClient":
        return PolledClient(client, line, self._outgoing)


class PolledClient:
    def __init__(self, client: ClientSettings, line: ClientLine, outgoing: Outgoing) -> None:
        nothing: Mapping[str, Any] = {}
        self._there = with_defaults(_INSTANCE, Configuration(client.instance.settings, nothing))
        self._told = with_defaults(_CLIENT, Configuration(client.settings, nothing))
        self._properties = mapped_properties(client.settings, required=True)
        self._actions = {one.action.id: one for one in mapped_actions(client.settings)}
        self._line = line
        self._outgoing = outgoing
        self._etag = ""
        self._known = set(client.things)

    async def run(self) -> None:
        while True:
            await self._poll()
            await self._line.started()
            await asyncio.sleep(float(self._told["interval_s"]))

    async def act(self, asked: AskedOfThing) -> ActionOutcome:
        mapped = self._actions.get(asked.action_id)
        if mapped is None:
            return ActionOutcome(reason="there is no such action")
        named = {"id": asked.connector_thing_id, **asked.parameters}
        path = _PLACEHOLDER.sub(lambda found: quote(named.get(found[1], ""), safe=""), str(mapped.told["path"]))
        body = mapped.told.get("body")
        answer = await self._send(
            str(mapped.told.get("method", "POST")),
            path,
            {"Content-Type": "application/json"} if body is not None else {},
            b"" if body is None else msgspec.json.encode(_filled(body, named, _types(mapped))),
        )
        return ActionOutcome(reason=None if answer.status < 400 else f"the other side answered {answer.status}")

    async def remove(self) -> None:
        return

    async def _poll(self) -> None:
        answer = await self._send(
            "GET", str(self._told["path"]), {"If-None-Match": self._etag} if self._etag else {}, b""
        )
        if answer.status == 304:
            return
        if answer.status in (401, 403):
            raise RefusedError(f"the other side refused us ({answer.status})")
        if answer.status != 200:
            raise OutageError(f"the other side answered {answer.status}")
        try:
            document = msgspec.json.decode(answer.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise RefusedError("what the other side answers is no JSON") from None
        await self._take(pointed(document, str(self._told["things_pointer"])))
        self._etag = answer.headers.get("etag", "")

    async def _take(self, found: Any) -> None:
        if isinstance(found, list):
            elements = {text_at(one, str(self._told["id_pointer"])): one for one in found}
            if "" in elements:
                raise RefusedError("there is a thing without an id in the document")
        elif isinstance(found, dict):
            elements = {text_at(found, str(self._told["id_pointer"])) or DOCUMENT: found}
        else:
            raise RefusedError("the document has no things where they should be")
        try:
            await asyncio.gather(*(self._make(id, element) for id, element in elements.items()))
        except TooManyThingsError as many:
            raise RefusedError(str(many)) from many
        for vanished in self._known - elements.keys():
            await self._line.set_status(vanished, "UNAVAILABLE")
        self._known = set(elements)

    async def _make(self, id: str, element: Any) -> None:
        name = text_at(element, self._told["name_pointer"]) if self._told["name_pointer"] else ""
        description = described(name or id, "", self._properties, list(self._actions.values()))
        await self._line.make_thing(id, description, values_in(element, self._properties))

    async def _send(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> OutgoingAnswer:
        there = self._there
        try:
            return await self._outgoing.send(
                method,
                _below(str(there["base_url"]), path, "path"),
                headers={**dict(there["headers"] or {}), **_authorization(there), **headers},
                body=body,
                timeout=float(there["timeout_s"]),
                largest=_LARGEST_DOCUMENT,
                verify_tls=bool(there["verify_tls"]),
                redirects=3 if method == "GET" else 0,
            )
        except ForbiddenAddressError as forbidden:
            raise RefusedError(str(forbidden)) from forbidden
        except UnreachableError as unreachable:
            raise OutageError(str(unreachable)) from unreachable


def _authorization(there: Mapping[str, Any]) -> Mapping[str, str]:
    if there["bearer_token"]:
        return {"Authorization": f"Bearer {there['bearer_token']}"}
    if there["basic_user"]:
        pair = f"{there['basic_user']}:{there['basic_password'] or ''}".encode()
        return {"Authorization": f"Basic {b64encode(pair).decode()}"}
    return {}


def _below(base_url: str, path: str, name: str) -> str:
    """The address, which cannot leave what is below the base."""
    steps = path.partition("?")[0].lower().replace("%2e", ".").replace("\\", "/").split("/")
    if ".." in steps or "://" in path or "#" in path or any(ord(one) <= 32 for one in path):
        raise ConfigurationInvalidError(name, "leads out of base_url, or is no path")
    return f"{base_url.rstrip('/')}/{path.lstrip('/')}"


def _check_action(mapped: MappedAction, base_url: str) -> None:
    where = f"actions.{mapped.action.id}"
    if mapped.told.get("method", "POST") not in _METHODS:
        raise ConfigurationInvalidError(where, f"method is none of {', '.join(_METHODS)}")
    path = mapped.told.get("path")
    if not isinstance(path, str) or not path:
        raise ConfigurationInvalidError(where, "path is missing")
    _below(base_url, path, where)


def _types(mapped: MappedAction) -> Mapping[str, str]:
    return {parameter.name: parameter.type for parameter in mapped.action.parameters}


def _filled(body: Any, named: Mapping[str, str], types: Mapping[str, str]) -> Any:
    """The body with its placeholders filled in. A text that is nothing but one becomes what the parameter is."""
    match body:
        case dict():
            return {key: _filled(value, named, types) for key, value in body.items()}
        case list():
            return [_filled(value, named, types) for value in body]
        case str() if (whole := _PLACEHOLDER.fullmatch(body)) and whole[1] in named:
            return _typed(named[whole[1]], types.get(whole[1], "STRING"))
        case str():
            return _PLACEHOLDER.sub(lambda found: named.get(found[1], found[0]), body)
    return body


def _typed(text: str, type: str) -> Any:
    match type:
        case "NUMBER":
            return float(text) if not text.lstrip("-").isdigit() else int(text)
        case "BOOLEAN":
            return text.lower() == "true"
    return text
