"""Simulated things, with switches that make them fail and a page on which their user agrees (contract connectors 5.1).
Shows everything that a connector may do, with nothing outside."""

import asyncio
import random
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from time import monotonic
from typing import Any, Final

from adapters.connector_types.simulated import KINDS, Simulated, simulated
from adapters.connector_types.surroundings import Surroundings
from application.connectors.configuration import Configuration, ConfigurationInvalidError, Setting, check
from application.connectors.connector_type import (
    ActionOutcome,
    AskedOfThing,
    ClientLine,
    ClientSettings,
    Description,
    InstanceSettings,
    Taken,
    ThingStaysError,
)
from domain.connectors.properties import PropertyValue
from domain.connectors.thing import Action, Component, Parameter, Property, ThingDescription

FAILURES: Final = ("none", "start", "flaky", "removal")
CONTROL: Final = "sim-control"
CONSENT_PATH: Final = "/api/v1/connectors/consent"

# So many ticks it works, and so many it does not.
FLAKY_TICKS: Final = 5

_INSTANCE = (
    Setting("seed", "number", default=0),
    Setting("tick_ms", "number", default=1000, least=50, most=3_600_000),
    Setting("consent", "boolean", default=False),
    Setting("fail", "string", default="none", choices=FAILURES),
)
_CLIENT = (
    Setting("things", "number", default=1, least=0, most=100),
    Setting("kind", "string", default="lamp", choices=KINDS),
    Setting("fail", "string", choices=FAILURES),
)


class Simulator:
    description = Description(
        number=1,
        type_id="simulator",
        name="Simulator",
        description="Lamps, thermometers and meters that exist nowhere, to try everything out with",
        logo="",
        sample_instance={"connector_type_id": "simulator", "configuration": {"seed": 42, "tick_ms": 1000}},
        sample_client={"connector_type_id": "simulator", "configuration": {"things": 2, "kind": "lamp"}},
    )

    def __init__(self, surroundings: Surroundings) -> None:
        self._codes = surroundings.codes
        self._consent_url = f"{surroundings.public_url}{CONSENT_PATH}"

    def check_instance(self, given: Mapping[str, Any]) -> Configuration:
        return check(_INSTANCE, given)

    def check_client(self, given: Mapping[str, Any], instance: Mapping[str, Any], subject: str) -> Configuration:
        checked = check(_CLIENT, given)
        if checked.open.get("things", 1) % 1:
            raise ConfigurationInvalidError("things", "is no whole number")
        return checked

    async def take_instance(self, instance: InstanceSettings) -> Taken:
        return Taken()

    async def drop_instance(self, instance: InstanceSettings) -> None:
        return

    async def take_client(self, client: ClientSettings) -> Taken:
        if not client.instance.settings.get("consent", False):
            return Taken()
        return Taken("redirect", f"{self._consent_url}/{self._codes.code(client.id)}")

    def open(self, client: ClientSettings, line: ClientLine) -> "SimulatedClient":
        return SimulatedClient(client, line)


class SimulatedClient:
    """What was switched on its control stays switched for as long as the process runs."""

    def __init__(self, client: ClientSettings, line: ClientLine) -> None:
        instance, own = client.instance.settings, client.settings
        self._line = line
        self._created_at = client.created_at
        self._tick = instance.get("tick_ms", 1000) / 1000
        self._fail = str(own.get("fail", instance.get("fail", "none")))
        self._is_controlled = self._fail != "none"
        kind, seed = own.get("kind", "lamp"), instance.get("seed", 0)
        self._things: dict[str, Simulated] = {
            f"sim-{number}": simulated(kind, seed, number) for number in range(1, int(own.get("things", 1)) + 1)
        }
        self._switched = asyncio.Event()

    async def run(self) -> None:
        if self._is_controlled:
            await self._line.make_thing(CONTROL, _CONTROL, self._told())
        while True:
            self._switched.clear()
            if self._fail == "start":
                await self._line.failed("the simulator was told to fail at its start")
                await self._switched.wait()
            else:
                await self._work()

    async def act(self, asked: AskedOfThing) -> ActionOutcome:
        if asked.connector_thing_id == CONTROL:
            return await self._switch(asked.parameters)
        thing = self._things.get(asked.connector_thing_id)
        if thing is None:
            return ActionOutcome(reason="there is no such thing")
        if (reason := thing.act(asked.action_id, asked.parameters)) is not None:
            return ActionOutcome(reason=reason)
        await self._line.update(asked.connector_thing_id, thing.values(self._seconds()))
        return ActionOutcome()

    async def remove(self) -> None:
        if self._fail == "removal":
            raise ThingStaysError("the simulator was told to keep its things")

    async def _switch(self, parameters: Mapping[str, str]) -> ActionOutcome:
        fail = parameters.get("fail", "")
        if fail not in FAILURES:
            return ActionOutcome(reason=f"fail: is none of {', '.join(FAILURES)}")
        self._fail = fail
        self._switched.set()
        await self._line.update(CONTROL, self._told())
        return ActionOutcome()

    async def _work(self) -> None:
        """Until another failure is asked for."""
        for id, thing in self._things.items():
            await self._line.make_thing(id, thing.description, thing.values(self._seconds()))
        await self._line.started()
        # Those that were started together measure at different moments, as real devices do.
        ticks, due = 0, monotonic() - random.uniform(0, self._tick)
        while not self._switched.is_set():
            # What was missed is left out, as by a real device.
            due = max(due + self._tick, monotonic())
            await self._until(due)
            ticks += 1
            if self._fail == "flaky" and ticks % FLAKY_TICKS == 0:
                await self._flip(failing=ticks // FLAKY_TICKS % 2 == 1)
            await self._measure()

    async def _until(self, due: float) -> None:
        if not self._is_controlled:
            await asyncio.sleep(due - monotonic())
            return
        try:
            async with asyncio.timeout(due - monotonic()):
                await self._switched.wait()
        except TimeoutError:
            return

    async def _flip(self, *, failing: bool) -> None:
        if failing:
            await self._line.failed("the simulator is flaky")
        else:
            await self._line.started()

    async def _measure(self) -> None:
        seconds = self._seconds()
        updates = [self._line.update(id, thing.values(seconds)) for id, thing in self._things.items()]
        if len(updates) == 1:
            await updates[0]
        elif updates:
            await asyncio.gather(*updates)

    def _seconds(self) -> float:
        return (datetime.now(UTC) - self._created_at).total_seconds()

    def _told(self) -> Sequence[PropertyValue]:
        return (PropertyValue(component_id="control", property_id="fail", value=self._fail),)


_CONTROL = ThingDescription(
    name="Simulator",
    manufacturer="Tidemark",
    display_type="CONTROL",
    main_component_id="control",
    components=(
        Component(
            id="control",
            name="control",
            component_type="CONTROL",
            properties=(Property(id="fail", name="fail", type="STRING"),),
            actions=(Action(id="setFail", name="setFail", parameters=(Parameter(name="fail", type="STRING"),)),),
        ),
    ),
)
