"""A connector that is somebody else's service, reached by the connector protocol (contract connectors 2.7 and 5.6).

An installation is what we call an instance, an instance what we call a client. The service makes things by calling us
back, also while it is being asked; those routes are in `entrypoints/connectors/hub`.
"""

import asyncio
from collections.abc import Mapping, Sequence
from email.utils import formatdate
from typing import Any, Final, Literal
from urllib.parse import urlsplit

import msgspec

from adapters.connector_types.expressions import matches
from adapters.outgoing import ForbiddenAddressError, Outgoing, OutgoingAnswer, UnreachableError
from adapters.security.callback_tokens import CallbackTokens
from adapters.security.signatures import sign
from application.connectors.configuration import Configuration, ConfigurationInvalidError
from application.connectors.connector_type import (
    ActionOutcome,
    AskedOfThing,
    ClientLine,
    ClientSettings,
    Description,
    InstanceSettings,
    OutageError,
    RefusedError,
    Taken,
)
from domain.connectors.publication import PublishedConnector, PublishedParameter

ANSWER_SECONDS: Final = 10.0
_LARGEST_ANSWER: Final = 64 * 1024

_KINDS: Mapping[str, tuple[type, ...]] = {"STRING": (str,), "NUMBER": (int, float), "BOOLEAN": (bool,)}
_SAMPLES: Mapping[str, Any] = {"STRING": "…", "NUMBER": 0, "BOOLEAN": False}
_STEPS: Mapping[int, Literal["text", "markdown", "redirect"]] = {1: "text", 2: "markdown", 3: "redirect"}


class _Step(msgspec.Struct):
    type: int = 0
    content: str = ""


class _Further(msgspec.Struct, rename="camel"):
    further_step: _Step | None = None


class _ActionAnswer(msgspec.Struct):
    status: str = "PENDING"
    error: str = ""


class ExternalConnector:
    """One published connector. `private_key` signs what we ask; `tokens` make what the service calls back with."""

    def __init__(
        self,
        connector: PublishedConnector,
        number: int,
        private_key: str,
        outgoing: Outgoing,
        tokens: CallbackTokens,
    ) -> None:
        self._connector = connector
        self._private_key = private_key
        self._outgoing = outgoing
        self._tokens = tokens
        self.description = Description(
            number=number,
            type_id=connector.type_id,
            name=connector.name,
            description=connector.description,
            logo=connector.logo,
            sample_instance=_sample(connector.type_id, connector.installation_parameters),
            sample_client=_sample(connector.type_id, connector.instance_parameters),
        )

    def check_instance(self, given: Mapping[str, Any]) -> Configuration:
        return _check(self._connector.installation_parameters, given)

    def check_client(self, given: Mapping[str, Any], instance: Mapping[str, Any], subject: str) -> Configuration:
        return _check(self._connector.instance_parameters, given)

    async def take_instance(self, instance: InstanceSettings) -> Taken:
        body = {
            "id": str(instance.id),
            "token": self._tokens.token("installation", instance.id),
            "state": 1,
            "configuration": _values(self._connector.installation_parameters, instance.settings),
        }
        return _taken(await self._ask("POST", self._connector.installation_url, body))

    async def drop_instance(self, instance: InstanceSettings) -> None:
        await self._tell_gone(f"{self._connector.installation_url}/{instance.id}")

    async def take_client(self, client: ClientSettings) -> Taken:
        body = {
            "id": str(client.id),
            "installation_id": str(client.instance.id),
            "token": self._tokens.token("instance", client.id),
            "state": 1,
            "configuration": _values(self._connector.instance_parameters, client.settings),
        }
        return _taken(await self._ask("POST", self._connector.instance_url, body))

    def open(self, client: ClientSettings, line: ClientLine) -> "ExternalClient":
        return ExternalClient(self, client, line)

    async def act(self, asked: AskedOfThing) -> ActionOutcome:
        body = {
            "id": str(asked.request_id),
            "thingId": str(asked.thing_id),
            "componentId": asked.component_id,
            "actionId": asked.action_id,
            "status": "PENDING",
            "parameters": asked.parameters,
        }
        return _outcome(await self._ask("POST", self._connector.action_url, body))

    async def drop_client(self, client: ClientSettings) -> None:
        await self._tell_gone(f"{self._connector.instance_url}/{client.id}")

    async def _tell_gone(self, url: str) -> None:
        """Whatever it says, the removal goes on."""
        try:
            await self._ask("DELETE", url, None)
        except OutageError:
            return

    async def _ask(self, method: str, url: str, body: Mapping[str, Any] | None) -> OutgoingAnswer:
        """Signed as over https whatever the road, with the host that is sent (2.7.2)."""
        data = b"" if body is None else msgspec.json.encode(body)
        date = formatdate(usegmt=True)
        headers = {
            # To the letter: with a charset the services' kit refuses it.
            "Content-Type": "application/json",
            "Date": date,
            "Signature": sign(self._private_key, method, urlsplit(url)._replace(scheme="https").geturl(), date, data),
        }
        try:
            return await self._outgoing.send(
                method, url, headers=headers, body=data, timeout=ANSWER_SECONDS, largest=_LARGEST_ANSWER
            )
        except (UnreachableError, ForbiddenAddressError) as error:
            raise OutageError(str(error)) from error


class ExternalClient:
    """The service does the work, and calls us when there is something to tell."""

    def __init__(self, connector: ExternalConnector, client: ClientSettings, line: ClientLine) -> None:
        self._connector = connector
        self._client = client
        self._line = line

    async def run(self) -> None:
        await self._line.started()
        await asyncio.Event().wait()

    async def act(self, asked: AskedOfThing) -> ActionOutcome:
        return await self._connector.act(asked)

    async def remove(self) -> None:
        await self._connector.drop_client(self._client)


def _taken(answer: OutgoingAnswer) -> Taken:
    if answer.status == 201:
        return Taken()
    if answer.status in (401, 403):
        raise RefusedError(f"the connector's service refused it ({answer.status})")
    if answer.status != 202:
        raise OutageError(f"the connector's service answered {answer.status}")
    try:
        step = msgspec.json.decode(answer.body or b"{}", type=_Further).further_step
    except msgspec.MsgspecError:
        raise OutageError("what the connector's service answered cannot be read") from None
    # What the kit sends when it only has details: an empty step (2.7.1).
    kind = _STEPS.get(step.type) if step is not None else None
    return Taken(kind or "text", step.content if step is not None and kind is not None else "")


def _outcome(answer: OutgoingAnswer) -> ActionOutcome:
    if answer.status == 204:
        return ActionOutcome()
    if answer.status in (200, 202):
        try:
            told = msgspec.json.decode(answer.body or b"{}", type=_ActionAnswer)
        except msgspec.MsgspecError:
            return ActionOutcome(reason="what the connector's service answered cannot be read")
        if told.status == "FAILED":
            return ActionOutcome(reason=told.error or "the connector's service says that it failed")
        return ActionOutcome(pending=True)
    reasons = {400: "bad parameters", 403: "not allowed"}
    return ActionOutcome(reason=reasons.get(answer.status, f"the connector's service answered {answer.status}"))


def _check(parameters: Sequence[PublishedParameter], given: Mapping[str, Any]) -> Configuration:
    """Everything that a service is configured with may be a secret."""
    kept: dict[str, Any] = {}
    for parameter in parameters:
        value = given.get(parameter.id)
        if value is None:
            if parameter.required:
                raise ConfigurationInvalidError(parameter.id, "is missing")
            continue
        if not isinstance(value, _KINDS[parameter.value_type]) or (
            isinstance(value, bool) and parameter.value_type != "BOOLEAN"
        ):
            raise ConfigurationInvalidError(parameter.id, f"is no {parameter.value_type.lower()}")
        if parameter.validation and not matches(parameter.validation, _text(value)):
            raise ConfigurationInvalidError(parameter.id, "is not of the form that the connector asks for")
        kept[parameter.id] = value
    return Configuration({}, kept)


def _values(parameters: Sequence[PublishedParameter], settings: Mapping[str, Any]) -> list[Mapping[str, str]]:
    """Texts, and never null: the kit's form."""
    known = [parameter.id for parameter in parameters if settings.get(parameter.id) is not None]
    return [{"id": id, "value": _text(settings[id])} for id in known]


def _text(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _sample(type_id: str, parameters: Sequence[PublishedParameter]) -> Mapping[str, Any]:
    configuration = {parameter.id: _SAMPLES[parameter.value_type] for parameter in parameters}
    return {"connector_type_id": type_id, "configuration": configuration}
