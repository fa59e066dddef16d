"""Things on somebody's MQTT broker: their states are subscribed to, commands published (contract connectors 5.3).

A message is acknowledged when what it says is on disk, so that the broker delivers again what was not.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID
from zlib import crc32

import msgspec
from aiomqtt.exceptions import MqttConnectError

from adapters.connector_types.mapping import described, mapped_actions, mapped_properties, values_in
from adapters.connector_types.surroundings import Surroundings
from adapters.mqtt.broker import Broker
from adapters.mqtt.session import Arrived, ConnectionLostError, Session, connected
from adapters.outgoing import ForbiddenAddressError, Outgoing, UnreachableError
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
from application.ports import NotPublishedError
from domain.connectors.client import TooManyThingsError

# Of the answers to CONNECT, those that time does not mend: bad user name or password, not authorised (3.1.1 and 5).
_UNWANTED: Final = frozenset({4, 5, 134, 135})
_WAITING_AT_MOST: Final = 1_000
_STATUSES: Final = {b"online": "AVAILABLE", b"offline": "UNAVAILABLE"}

_INSTANCE = (
    Setting("host", "string", required=True),
    Setting("port", "number", default=1883, least=1, most=65_535),
    Setting("tls", "boolean", default=False),
    Setting("username", "string"),
    Setting("password", "string"),
    Setting("client_id_prefix", "string", default="conn-"),
    Setting("topic_root", "string", default=""),
    Setting("protocol", "string", default="3.1.1", choices=("3.1.1",)),
)
_CLIENT = (
    Setting("state_topic", "string", required=True),
    Setting("payload", "string", default="json", choices=("json", "raw")),
    Setting("properties", "list", required=True),
    Setting("availability_topic", "string"),
    Setting("command_topic", "string"),
    Setting("reply_topic", "string"),
    Setting("discovery", "boolean", default=True),
    Setting("actions", "list", default=[]),
)
_TOPICS: Final = ("state_topic", "availability_topic", "command_topic", "reply_topic")


class _Reply(msgspec.Struct):
    """What a thing says came of an action: `status` is COMPLETED or FAILED."""

    id: UUID
    status: str
    error: str = ""


class MqttThings:
    description = Description(
        number=3,
        type_id="mqtt",
        name="MQTT",
        description="Things that tell their state on a broker",
        logo="",
        sample_instance={
            "connector_type_id": "mqtt",
            "configuration": {"host": "127.0.0.1", "port": 1883, "username": "abc", "password": "def"},
        },
        sample_client={
            "connector_type_id": "mqtt",
            "configuration": {
                "state_topic": "home/+/state",
                "properties": [{"id": "temperature", "pointer": "/temperature", "type": "NUMBER", "unit": "°C"}],
            },
        },
    )

    def __init__(self, surroundings: Surroundings) -> None:
        self._outgoing = surroundings.outgoing

    def check_instance(self, given: Mapping[str, Any]) -> Configuration:
        checked = check(_INSTANCE, given)
        if checked.open.get("port", 1883) % 1:
            raise ConfigurationInvalidError("port", "is no whole number")
        return checked

    def check_client(self, given: Mapping[str, Any], instance: Mapping[str, Any], subject: str) -> Configuration:
        checked = check(_CLIENT, given)
        if any("{subject}" in str(checked.open.get(name, "")) for name in _TOPICS) and set(subject) & set("+#/\0"):
            raise ConfigurationInvalidError("state_topic", "a subject with + # or / cannot stand in a topic")
        if str(checked.open["state_topic"]).split("/").count("+") != 1:
            raise ConfigurationInvalidError("state_topic", "has to have one + where the device is named")
        root = str(instance.get("topic_root", "")).rstrip("/")
        for name in _TOPICS:
            _check_topic(name, str(checked.open.get(name, "")), root)
        mapped_properties(checked.open, required=True)
        if mapped_actions(checked.open) and not checked.open.get("command_topic"):
            raise ConfigurationInvalidError("command_topic", "is missing, and there are actions")
        return checked

    def open(self, client: ClientSettings, line: ClientLine) -> "SubscribedClient":
        return SubscribedClient(client, line, self._outgoing)


class SubscribedClient:
    def __init__(self, client: ClientSettings, line: ClientLine, outgoing: Outgoing) -> None:
        nothing: Mapping[str, Any] = {}
        self._there = with_defaults(_INSTANCE, Configuration(client.instance.settings, nothing))
        self._told = with_defaults(_CLIENT, Configuration(client.settings, nothing))
        self._topics = {name: str(self._told[name] or "").replace("{subject}", client.subject) for name in _TOPICS}
        self._properties = mapped_properties(client.settings, required=True)
        self._actions = mapped_actions(client.settings)
        self._name = f"{self._there['client_id_prefix']}{client.id}"
        self._line = line
        self._outgoing = outgoing
        self._known = set(client.things)
        self._arrived: asyncio.Queue[Arrived] = asyncio.Queue()
        self._session: Session | None = None

    async def run(self) -> None:
        broker = await self._broker()
        try:
            async with connected(broker, self._name, None, self._deliver) as session:
                self._session = session
                for name in ("state_topic", "availability_topic", "reply_topic"):
                    if self._topics[name]:
                        await session.subscribe(self._topics[name])
                await self._line.started()
                await self._work(session)
        except ConnectionLostError as lost:
            if isinstance(lost.__cause__, MqttConnectError) and _code(lost.__cause__) in _UNWANTED:
                raise RefusedError("the broker does not let us in") from lost
            raise OutageError("the broker cannot be reached") from lost
        finally:
            self._session = None

    async def act(self, asked: AskedOfThing) -> ActionOutcome:
        """Done when the broker has it; where there is a topic for replies, when one says so."""
        topic = self._topics["command_topic"].replace("{device}", asked.connector_thing_id)
        if self._session is None:
            raise OutageError("the broker cannot be reached")
        told = {"id": str(asked.request_id), "action": asked.action_id, "parameters": asked.parameters}
        try:
            await self._session.publish(topic.replace("{action}", asked.action_id), msgspec.json.encode(told))
        except NotPublishedError as error:
            return ActionOutcome(reason=str(error))
        return ActionOutcome(pending=bool(self._topics["reply_topic"]))

    async def remove(self) -> None:
        """The broker keeps nothing for us any longer."""
        if self._session is not None:
            for name in ("state_topic", "availability_topic", "reply_topic"):
                if self._topics[name]:
                    await self._session.unsubscribe(self._topics[name])

    async def _broker(self) -> Broker:
        """Over TLS by its name, which its certificate is checked against."""
        host, port, tls = str(self._there["host"]), int(self._there["port"]), bool(self._there["tls"])
        try:
            address = await self._outgoing.resolve(host, port)
        except ForbiddenAddressError as forbidden:
            raise RefusedError(str(forbidden)) from forbidden
        except UnreachableError as unreachable:
            raise OutageError(str(unreachable)) from unreachable
        return Broker(
            host=host if tls else address,
            port=port,
            username=self._there["username"],
            password=self._there["password"],
            tls=tls,
        )

    def _deliver(self, arrived: Arrived) -> None:
        self._arrived.put_nowait(arrived)
        if self._arrived.qsize() > _WAITING_AT_MOST:
            arrived.session.pause()

    async def _work(self, session: Session) -> None:
        lost = asyncio.ensure_future(session.lost())
        try:
            while True:
                arriving = asyncio.ensure_future(self._arrived.get())
                await asyncio.wait({arriving, lost}, return_when=asyncio.FIRST_COMPLETED)
                if not arriving.done():
                    arriving.cancel()
                    raise OutageError("the connection to the broker was lost")
                await self._take(arriving.result(), session)
        finally:
            lost.cancel()

    async def _take(self, arrived: Arrived, session: Session) -> None:
        if arrived.session is session:
            digest = crc32(arrived.payload, crc32(arrived.topic.encode()))
            if not (arrived.dup and session.has_acknowledged(arrived.mid, digest)):
                await self._understand(arrived)
            if arrived.qos:
                session.acknowledge([(arrived.mid, digest)])
        if self._arrived.empty():
            session.resume()

    async def _understand(self, arrived: Arrived) -> None:
        """What nobody understands is passed over: it would come again and again."""
        if self._topics["reply_topic"] and _device(self._topics["reply_topic"], arrived.topic) is not None:
            await self._settle(arrived.payload)
        elif (device := _device(self._topics["state_topic"], arrived.topic)) is not None:
            await self._measure(device, arrived.payload)
        elif (device := _device(self._topics["availability_topic"], arrived.topic)) is not None:
            status = _STATUSES.get(arrived.payload.strip().lower())
            if status is not None and device in self._known:
                await self._line.set_status(device, status)  # type: ignore[arg-type]  # one of two

    async def _measure(self, device: str, payload: bytes) -> None:
        if device not in self._known and not self._told["discovery"]:
            return
        try:
            document: Any = payload.decode() if self._told["payload"] == "raw" else msgspec.json.decode(payload)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return
        try:
            await self._line.make_thing(
                device, described(device, "", self._properties, self._actions), values_in(document, self._properties)
            )
        except TooManyThingsError as many:
            raise RefusedError(str(many)) from many
        self._known.add(device)

    async def _settle(self, payload: bytes) -> None:
        try:
            told = msgspec.json.decode(payload, type=_Reply)
        except msgspec.MsgspecError:
            return
        if told.status == "COMPLETED":
            await self._line.settle_action(told.id)
        elif told.status == "FAILED":
            await self._line.settle_action(told.id, told.error or "the thing says that it failed")


def _check_topic(name: str, topic: str, root: str) -> None:
    """Raises ConfigurationInvalidError for what leaves the root, and where a wildcard cannot stand."""
    steps = topic.split("/")
    if "#" in topic or "\0" in topic or any("+" in step and step != "+" for step in steps) or topic.startswith("$"):
        raise ConfigurationInvalidError(name, "is no topic with at most single + between its slashes")
    if name == "command_topic" and "+" in steps:
        raise ConfigurationInvalidError(name, "has {device} where others have +")
    if steps.count("+") > 1:
        raise ConfigurationInvalidError(name, "has more than one +")
    if root and topic and not topic.startswith(f"{root}/"):
        raise ConfigurationInvalidError(name, f"leaves {root}")


def _device(template: str, topic: str) -> str | None:
    """What stands where the template has its +; empty where it has none; None for another topic."""
    wanted, steps = template.split("/"), topic.split("/")
    if not template or len(wanted) != len(steps):
        return None
    if any(one not in ("+", step) for one, step in zip(wanted, steps, strict=True)):
        return None
    return steps[wanted.index("+")] if "+" in wanted else ""


def _code(refused: MqttConnectError) -> int:
    code: Any = refused.rc
    return int(getattr(code, "value", code) or 0)
