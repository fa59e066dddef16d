"""Makes things of the devices of a metric reporting daemon, ours or another, and reports values of things to it
(contract connectors 5.5)."""

import asyncio
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, Final
from urllib.parse import quote, urlsplit
from uuid import UUID

import jwt
import msgspec

from adapters.connector_types.surroundings import Surroundings
from adapters.outgoing import ForbiddenAddressError, OutgoingAnswer, UnreachableError
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
from domain.connectors.properties import PropertyValue
from domain.connectors.thing import Component, Property, ThingDescription

COMPONENT: Final = "metrics"
_NOT_OF_IDS = re.compile(r"[^a-zA-Z0-9-_]")
_LONGEST_ID: Final = 190
_TOKEN_SECONDS: Final = 60
_SECONDS: Final = 10.0
_LARGEST_ANSWER: Final = 16 * 1024 * 1024

_INSTANCE = (
    Setting("base_url", "string"),
    Setting("jwt", "string"),
    Setting("jwt_secret", "string"),
)
_CLIENT = (
    Setting("devices", "list"),
    Setting("metrics", "list", default=["*"]),
    Setting("interval_s", "number", default=15, least=1, most=86_400),
    Setting("direction", "string", default="read", choices=("read", "report", "both")),
    Setting("map", "list", default=[]),
)
_MAPPED: Final = ("thing_id", "component", "property", "device", "metric")

Metric = Mapping[str, Any]


class Mrd:
    description = Description(
        number=5,
        type_id="mrd",
        name="Metric reporting",
        description="Devices whose metrics are reported are things; values of things are reported as metrics",
        logo="",
        sample_instance={"connector_type_id": "mrd", "configuration": {}},
        sample_client={
            "connector_type_id": "mrd",
            "configuration": {"devices": ["1"], "metrics": ["caffeine.*"], "interval_s": 15, "direction": "read"},
        },
    )

    def __init__(self, surroundings: Surroundings) -> None:
        self._surroundings = surroundings

    def check_instance(self, given: Mapping[str, Any]) -> Configuration:
        checked = check(_INSTANCE, given)
        parts = urlsplit(checked.open.get("base_url", "http://here"))
        if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
            raise ConfigurationInvalidError("base_url", "is no http or https URL")
        return checked

    def check_client(self, given: Mapping[str, Any], instance: Mapping[str, Any], subject: str) -> Configuration:
        """All devices is said by `*`, or by saying nothing."""
        checked = check(_CLIENT, {**given, "devices": None} if given.get("devices") == "*" else given)
        for name in ("devices", "metrics"):
            if not all(isinstance(one, str) and one for one in checked.open.get(name, [])):
                raise ConfigurationInvalidError(name, "is no list of strings")
        for one in checked.open.get("map", []):
            if not isinstance(one, dict) or not all(isinstance(one.get(name), str) for name in _MAPPED):
                raise ConfigurationInvalidError("map", f"is no list of objects with {', '.join(_MAPPED)}")
            _thing_id(one)
        return checked

    def open(self, client: ClientSettings, line: ClientLine) -> "MeasuredClient":
        return MeasuredClient(client, line, self._surroundings)


class MeasuredClient:
    def __init__(self, client: ClientSettings, line: ClientLine, surroundings: Surroundings) -> None:
        nothing: Mapping[str, Any] = {}
        self._there = with_defaults(_INSTANCE, Configuration(client.instance.settings, nothing))
        self._told = with_defaults(_CLIENT, Configuration(client.settings, nothing))
        self._base = str(self._there["base_url"] or f"{surroundings.own_url}/mrd").rstrip("/")
        self._owner = (client.owner, client.subject)
        self._line = line
        self._surroundings = surroundings
        self._known = set(client.things)
        self._metrics: dict[str, dict[str, Property]] = {}
        self._reported: dict[tuple[str, str], str] = {}

    async def run(self) -> None:
        direction = self._told["direction"]
        if direction != "read" and not (self._there["jwt"] or self._there["jwt_secret"]):
            raise RefusedError("reporting needs jwt or jwt_secret in the instance")
        while True:
            if direction != "report":
                await self._read()
            if direction != "read":
                await self._report()
            await self._line.started()
            await asyncio.sleep(float(self._told["interval_s"]))

    async def act(self, asked: AskedOfThing) -> ActionOutcome:
        return ActionOutcome(reason="metrics cannot be acted on")

    async def remove(self) -> None:
        return

    async def _read(self) -> None:
        devices = self._told["devices"]
        measured = await (self._of_all() if devices is None else self._of_each(devices))
        fresh = {device: metrics for device, metrics in measured.items() if metrics}
        for device, metrics in fresh.items():
            await self._make(device, metrics)
        for stale in self._known - fresh.keys():
            await self._line.set_status(stale, "UNAVAILABLE")
        self._known |= fresh.keys()

    async def _of_each(self, devices: Iterable[str]) -> Mapping[str, Sequence[Metric]]:
        measured: dict[str, Sequence[Metric]] = {}
        for device in devices:
            listed = await self._get(f"/devices/{quote(device, safe='')}/metrics/current")
            measured[device] = [one for one in listed if self._wants(str(one.get("name", "")))]
        return measured

    async def _of_all(self) -> Mapping[str, Sequence[Metric]]:
        measured: dict[str, list[Metric]] = {}
        for metric in await self._get("/metrics/current"):
            name = str(metric.get("name", ""))
            if self._wants(name):
                for one in await self._get(f"/metrics/{quote(name, safe='')}/current"):
                    told = {"name": name, "units": metric.get("units", ""), "value": one.get("value")}
                    measured.setdefault(str(one.get("id")), []).append(told)
        return measured

    def _wants(self, name: str) -> bool:
        return any(fnmatchcase(name, str(pattern)) for pattern in self._told["metrics"])

    async def _make(self, device: str, metrics: Sequence[Metric]) -> None:
        """A metric that is no longer reported keeps its property and its last value."""
        known = self._metrics.setdefault(device, {})
        for metric in sorted(metrics, key=lambda one: str(one["name"])):
            name = str(metric["name"])
            if name not in known:
                taken = {property.id.casefold() for property in known.values()}
                known[name] = _property(name, metric, taken)
        component = Component(
            id=COMPONENT, name="Metrics", component_type="tidemark.Metrics", properties=tuple(known.values())
        )
        description = ThingDescription(
            name=device, manufacturer="", display_type="SENSOR", main_component_id=COMPONENT, components=(component,)
        )
        values = tuple(
            PropertyValue(component_id=COMPONENT, property_id=known[str(one["name"])].id, value=_text(one["value"]))
            for one in metrics
        )
        await self._line.make_thing(device, description, values)

    async def _report(self) -> None:
        """What is mapped, whenever it has another value, and before the last report has expired."""
        ttl = int(3 * float(self._told["interval_s"])) or 1
        for mapped in self._told["map"]:
            thing_id = _thing_id(mapped)
            thing = await self._surroundings.things.find(thing_id)
            if thing is None or (thing.owner, thing.subject) != self._owner:
                continue
            value = (await self._surroundings.things.values(thing_id)).get((mapped["component"], mapped["property"]))
            if value is not None:
                await self._put(mapped, value.value, ttl)

    async def _put(self, mapped: Mapping[str, Any], text: str, ttl: int) -> None:
        number = _number(text)
        told = {
            "name": mapped["metric"],
            "value": text if number is None else number,
            "type": "string" if number is None else "double",
            "units": str(mapped.get("units", "")),
            "slope": "both",
            "ttl": ttl,
        }
        answer = await self._send("PUT", f"/{quote(mapped['device'], safe='')}/metrics", msgspec.json.encode(told))
        if answer.status in (401, 403):
            raise RefusedError(f"the daemon refused us ({answer.status})")
        if answer.status >= 500:
            raise OutageError(f"the daemon answered {answer.status}")

    async def _get(self, path: str) -> Sequence[Metric]:
        """404 says that there is nothing."""
        answer = await self._send("GET", path, b"")
        if answer.status in (401, 403):
            raise RefusedError(f"the daemon refused us ({answer.status})")
        if answer.status == 404:
            return ()
        if answer.status != 200:
            raise OutageError(f"the daemon answered {answer.status}")
        try:
            listed = msgspec.json.decode(answer.body, type=list[dict[str, Any]])
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise RefusedError("what the daemon answers is no list of metrics") from None
        return listed

    async def _send(self, method: str, path: str, body: bytes) -> OutgoingAnswer:
        headers = {"Content-Type": "application/json"} if body else {}
        if token := self._token():
            headers["Authorization"] = f"Bearer {token}"
        try:
            return await self._surroundings.outgoing.send(
                method, f"{self._base}{path}", headers=headers, body=body, timeout=_SECONDS, largest=_LARGEST_ANSWER
            )
        except ForbiddenAddressError as forbidden:
            raise RefusedError(str(forbidden)) from forbidden
        except UnreachableError as unreachable:
            raise OutageError(str(unreachable)) from unreachable

    def _token(self) -> str:
        if self._there["jwt_secret"]:
            claims = {"exp": int(time.time()) + _TOKEN_SECONDS}
            return jwt.encode(claims, str(self._there["jwt_secret"]), "HS256")
        return str(self._there["jwt"] or "")


def _property(name: str, metric: Metric, taken: Iterable[str]) -> Property:
    """Its name is kept; an id has fewer characters, so that two names may come to one, which then get numbers."""
    plain = _NOT_OF_IDS.sub("_", name)[:_LONGEST_ID] or "_"
    id, number, others = plain, 2, set(taken)
    while id.casefold() in others:
        id, number = f"{plain}_{number}", number + 1
    kind = "STRING" if isinstance(metric["value"], str) else "NUMBER"
    return Property(id=id, name=name, type=kind, unit=str(metric.get("units", "")))  # type: ignore[arg-type]  # one of two


def _text(value: Any) -> str:
    return value if isinstance(value, str) else repr(value)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _thing_id(mapped: Mapping[str, Any]) -> UUID:
    try:
        return UUID(mapped["thing_id"])
    except ValueError:
        raise ConfigurationInvalidError("map", "thing_id is no id") from None
