"""NATS is a copy: it may be wiped while it is down, and killed while it works."""

import asyncio
import os
import shutil
import signal

import httpx
import pytest

from tests.crash.load import again, count, load_on, person_on
from tests.crash.subscriber import everything, log_ids
from tests.crash.tally import Printer, Stopwatch, Tally
from tests.fleet import MqttDevice, reading
from tests.product import Product
from tests.waiting import eventually

pytestmark = [pytest.mark.timeout(600), pytest.mark.xdist_group("killed")]

KILLS = 3


@pytest.mark.parametrize("how", ["stop", "kill"])
async def test_a_wiped_nats_is_filled_again_in_order(product: Product, printed: Printer, how: str) -> None:
    person = person_on(product)
    load = load_on(product, person, programs=1)
    with load.running():
        await asyncio.to_thread(load.wait_for_promises, 300)
    # What NATS still had to hand to us is gone with it: here everything has been stored before.
    tally = count("", product, person, load)
    assert not tally.lost
    before = await everything(product.urls["nats"], len(log_ids(product.urls["postgres"])))
    product.stop() if how == "stop" else product.kill()
    stores = [folder for folder in product.data_dir.rglob("jetstream") if folder.is_dir()]
    shutil.rmtree(min(stores, key=lambda folder: len(folder.parts)))
    recovery = Stopwatch()
    product.start()
    ids = log_ids(product.urls["postgres"])
    copied = await everything(product.urls["nats"], len(ids))
    tally = Tally(f"NATS wiped after {how}", set(ids), recoveries=[recovery.seconds])
    tally.store(one.event_id for one in copied)
    printed(tally)
    assert [one.position for one in copied] == list(range(1, len(ids) + 1))
    assert [one.sequence for one in copied] == [one.position for one in copied]
    assert [one.event_id for one in copied] == ids
    assert [one.event_id for one in copied][: len(before)] == [one.event_id for one in before]
    person = again(product, person)
    with MqttDevice(product.urls["mqtt"]) as device:
        device.announce()
        await asyncio.to_thread(person.sees_device, device)
        device.report(reading(device.sensor(), 1))
        await asyncio.to_thread(person.sees_values, device.sensor(), 1)


async def test_readings_go_on_while_nats_is_killed_and_come_back(product: Product, printed: Printer) -> None:
    person = person_on(product)
    load = load_on(product, person)
    with MqttDevice(product.urls["mqtt"]) as device:
        device.announce()
        person.sees_device(device)
    recoveries: list[float] = []
    with load.running():
        for _ in range(KILLS):
            await asyncio.to_thread(load.wait_for_promises, 100)
            os.kill(product.server("nats-server"), signal.SIGKILL)
            recovery = Stopwatch()
            for number in range(10):
                written = person.post("/sensor-readings", reading(device.sensor(), number))
                assert written.status_code == 201, f"HTTP needs no NATS: {written.text}"
                read = person.get(f"/sensor-readings/{written.json()['id']}")
                assert read.status_code == 200, f"reads need no NATS: {read.text}"
            await asyncio.to_thread(load.wait_for_promises, 1)
            recoveries.append(recovery.seconds)
        await asyncio.to_thread(load.wait_for_promises, 50)
    tally = count(f"NATS killed {KILLS} times under load", product, person, load)
    tally.recoveries = recoveries
    ids = log_ids(product.urls["postgres"])
    copied = await everything(product.urls["nats"], len(ids))
    relayed = Tally("relayed meanwhile", set(ids))
    relayed.store(one.event_id for one in copied)
    printed(tally, relayed)
    assert not tally.lost
    assert [one for one in tally.duplicate if one[0] != str(device.sensor())] == []  # type: ignore[index]
    assert [one.event_id for one in copied] == ids, "the relay left a gap, or changed the order"
    assert [one.sequence for one in copied] == list(range(1, len(ids) + 1))
    eventually(lambda: httpx.get(f"{product.api}/health/ready").status_code == 200, seconds=30)
