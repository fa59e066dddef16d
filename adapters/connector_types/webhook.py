"""Takes what others push to us, and hands on what is asked of things (contract connectors 5.4). The pushes come in by
`entrypoints/connectors/routes/hooks.py`, signed with the instance's shared secret."""

import asyncio
import hmac
import secrets
from collections.abc import Mapping
from time import time
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from adapters.connector_types.mapping import check_pointer, described, mapped_actions, mapped_properties
from adapters.connector_types.surroundings import Surroundings
from adapters.outgoing import ForbiddenAddressError, Outgoing, UnreachableError
from application.connectors.configuration import Configuration, ConfigurationInvalidError, Setting, check
from application.connectors.connector_type import (
    ActionOutcome,
    AskedOfThing,
    ClientLine,
    ClientSettings,
    Description,
    OutageError,
)
from domain.connectors.thing import Attribute, Component, Property, ThingDescription

TYPE_ID: Final = "webhook"
HOOK: Final = "hook"
HOOKS_PATH: Final = "/api/v1/connectors/hooks"
LEAST_SECRET: Final = 16
FORWARD_SECONDS: Final = 5.0

_INSTANCE = (
    Setting("shared_secret", "string"),
    Setting("max_body_kb", "number", default=256, least=1, most=1024),
)
_CLIENT = (
    Setting("properties", "list", required=True),
    Setting("id_pointer", "string", default="/id"),
    Setting("name_pointer", "string"),
    Setting("forward_url", "string"),
    Setting("require_timestamp", "boolean", default=True),
    Setting("actions", "list", default=[]),
)


class Webhook:
    description = Description(
        number=4,
        type_id=TYPE_ID,
        name="Webhook",
        description="Takes signed pushes, and forwards actions",
        logo="",
        sample_instance={"connector_type_id": TYPE_ID, "configuration": {"shared_secret": "at least 16 characters"}},
        sample_client={
            "connector_type_id": TYPE_ID,
            "configuration": {"properties": [{"id": "temperature", "pointer": "/temperature", "type": "NUMBER"}]},
        },
    )

    def __init__(self, surroundings: Surroundings) -> None:
        self._outgoing = surroundings.outgoing
        self._hooks_url = f"{surroundings.public_url}{HOOKS_PATH}"

    def check_instance(self, given: Mapping[str, Any]) -> Configuration:
        """Without a secret one is made, and told this once."""
        checked = check(_INSTANCE, given)
        secret = checked.secrets.get("shared_secret")
        if secret is None:
            made = {"shared_secret": secrets.token_urlsafe(32)}
            return Configuration(checked.open, made, made)
        if len(secret) < LEAST_SECRET:
            raise ConfigurationInvalidError("shared_secret", f"is shorter than {LEAST_SECRET} characters")
        return checked

    def check_client(self, given: Mapping[str, Any], instance: Mapping[str, Any], subject: str) -> Configuration:
        checked = check(_CLIENT, given)
        for name in ("id_pointer", "name_pointer"):
            check_pointer(name, checked.open.get(name, ""))
        mapped_properties(checked.open, required=True)
        mapped_actions(checked.open)
        parts = urlsplit(checked.open.get("forward_url", "http://there"))
        if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
            raise ConfigurationInvalidError("forward_url", "is no http or https URL")
        return checked

    def open(self, client: ClientSettings, line: ClientLine) -> "PushedClient":
        return PushedClient(client, line, self._outgoing, f"{self._hooks_url}/{client.id}")


class PushedClient:
    def __init__(self, client: ClientSettings, line: ClientLine, outgoing: Outgoing, hook_url: str) -> None:
        self._client = client
        self._line = line
        self._outgoing = outgoing
        self._hook_url = hook_url

    async def run(self) -> None:
        await self._line.make_thing(HOOK, _hook(self._hook_url))
        await self._line.started()
        await asyncio.Event().wait()

    async def act(self, asked: AskedOfThing) -> ActionOutcome:
        url = self._client.settings.get("forward_url")
        if not url:
            return ActionOutcome(reason="there is no forward_url to send it to")
        told = {
            "id": str(asked.request_id),
            "thing_id": str(asked.thing_id),
            "connector_thing_id": asked.connector_thing_id,
            "action": asked.action_id,
            "parameters": asked.parameters,
        }
        body, at = msgspec.json.encode(told), str(int(time()))
        headers = {
            "Content-Type": "application/json",
            "X-Timestamp": at,
            "X-Signature": signature(str(self._client.instance.settings["shared_secret"]), at, body),
        }
        try:
            answer = await self._outgoing.send("POST", url, headers=headers, body=body, timeout=FORWARD_SECONDS)
        except ForbiddenAddressError as forbidden:
            return ActionOutcome(reason=str(forbidden))
        except UnreachableError as unreachable:
            raise OutageError(str(unreachable)) from unreachable
        return ActionOutcome(reason=None if answer.status < 300 else f"the other side answered {answer.status}")

    async def remove(self) -> None:
        return


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """The header `X-Signature`, of what comes in as of what goes out."""
    digest = hmac.digest(secret.encode(), timestamp.encode() + b"." + body, "sha256")
    return f"sha256={digest.hex()}"


def pushed_description(settings: Mapping[str, Any], name: str) -> ThingDescription:
    """A thing of which somebody pushed something."""
    return described(name, "", mapped_properties(settings, required=True), mapped_actions(settings))


def _hook(url: str) -> ThingDescription:
    """Where to push to, for whoever looks at the things."""
    received = Property(id="url", name="url", type="STRING")
    return ThingDescription(
        name="Webhook",
        manufacturer="Tidemark",
        display_type="HOOK",
        main_component_id=HOOK,
        components=(Component(id=HOOK, name=HOOK, component_type="HOOK", properties=(received,)),),
        attributes=(Attribute(name="webhook.url", value=url),),
    )
