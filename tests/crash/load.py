"""Load that behaves as devices and programs do in the field, and remembers what it was promised."""

import itertools
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import httpx
import psycopg
from paho.mqtt.client import Client, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode

from tests.conformance.lambda_iot.client import Api
from tests.crash.tally import Tally
from tests.fleet import TOPIC, MqttDevice, reading
from tests.product import Product
from tests.waiting import eventually

WINDOW = 20
RATE = 80  # readings a second from each device
START = datetime(2026, 1, 14, tzinfo=UTC)

# A reading by sensor and value; values are unique for each sensor.
Key = tuple[str, float]


@dataclass
class Promises:
    """What was acknowledged. Only grows; one thread writes, others may look."""

    acknowledged: list[Key] = field(default_factory=list)
    timeless: set[Key] = field(default_factory=set)
    """What was published without a time of its own, acknowledged or not."""

    def __len__(self) -> int:
        return len(self.acknowledged)


class _Worker:
    """A thread that works until it is asked to stop, and keeps what killed it for whoever joins."""

    def __init__(self, name: str) -> None:
        self.promises = Promises()
        self._stopping = threading.Event()
        self._fault: BaseException | None = None
        self._thread = threading.Thread(target=self._guarded, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()

    def join(self, seconds: float = 60) -> None:
        self._thread.join(seconds)
        assert not self._thread.is_alive(), f"{self._thread.name} did not come to an end"
        if self._fault is not None:
            raise self._fault

    def _guarded(self) -> None:
        try:
            self._work()
        except BaseException as fault:  # noqa: BLE001  # raised again where the thread is joined
            self._fault = fault

    def _work(self) -> None:
        raise NotImplementedError


class ReportingDevice(_Worker):
    """Publishes readings with QoS 1, at most 20 unconfirmed, and connects again for ever.

    What was not confirmed is sent again after a reconnect, with the same `value_at`. Every so many readings have
    no time of their own (`timeless`, 0 for none): those cannot be told from new ones, so they are not sent again.
    """

    def __init__(self, url: Callable[[], str], device: MqttDevice, *, timeless: int = 0) -> None:
        super().__init__(f"device {device.id}")
        self._url = url
        self._device = device
        self._timeless = timeless
        self._numbers = itertools.count(1)
        self._paced_at = time.monotonic()
        self._unconfirmed: dict[int, dict[str, Any]] = {}
        self._again: list[dict[str, Any]] = []

    def _work(self) -> None:
        while not self._is_done():
            client = self._connected()
            if client is None:
                time.sleep(0.05)
                continue
            while client.loop(0.01) == MQTTErrorCode.MQTT_ERR_SUCCESS and not self._is_done():
                for _ in range(min(self._due(), WINDOW - len(self._unconfirmed))):
                    if self._again:
                        self._publish(client, self._again.pop(0))
                    elif not self._stopping.is_set():
                        self._publish(client, self._next())
            with suppress(OSError):
                client.disconnect()
            self._again = [*(one for one in self._unconfirmed.values() if "value_at" in one), *self._again]
            self._unconfirmed = {}

    def _due(self) -> int:
        """How many may be published now. The machine is needed for what is tested, so devices keep to a rate."""
        due = int((time.monotonic() - self._paced_at) * RATE)
        if due:
            self._paced_at = time.monotonic()
        return due

    def _is_done(self) -> bool:
        return self._stopping.is_set() and not self._unconfirmed and not self._again

    def _connected(self) -> Client | None:
        url = urlsplit(self._url())
        client = Client(
            CallbackAPIVersion.VERSION2, client_id=f"load-{uuid4().hex}", clean_session=True, protocol=MQTTv311
        )
        client.max_inflight_messages_set(0)
        client.on_publish = self._confirmed
        try:
            client.connect(url.hostname or "", url.port or 1883, keepalive=10)
        except (OSError, ValueError):
            return None
        deadline = time.monotonic() + 5
        while not client.is_connected():
            if client.loop(0.01) != MQTTErrorCode.MQTT_ERR_SUCCESS or time.monotonic() > deadline:
                return None
        return client

    def _next(self) -> dict[str, Any]:
        number = next(self._numbers)
        if self._timeless and number % self._timeless == 0:
            return reading(self._device.sensor(), number)
        at = (START + timedelta(seconds=number)).isoformat().replace("+00:00", "Z")
        return reading(self._device.sensor(), number, at)

    def _publish(self, client: Client, message: dict[str, Any]) -> None:
        sent = client.publish(f"{TOPIC}/{self._device.id}/readings", json.dumps(message), qos=1)
        self._unconfirmed[sent.mid] = message
        if "value_at" not in message:
            self.promises.timeless.add((message["sensor_id"], float(message["value"])))

    def _confirmed(self, _client: Client, _data: Any, mid: int, *_: Any) -> None:
        message = self._unconfirmed.pop(mid, None)
        if message is not None:
            self.promises.acknowledged.append((message["sensor_id"], float(message["value"])))


class PostingProgram(_Worker):
    """Posts readings one after the other. A 201 is a promise; after anything else the next one is posted."""

    def __init__(self, url: Callable[[], str], headers: dict[str, str], sensor: UUID) -> None:
        super().__init__(f"program {sensor}")
        self.statuses: list[int] = []
        self._url = url
        self._headers = headers
        self._sensor = sensor

    def _work(self) -> None:
        numbers = itertools.count(1)
        while not self._stopping.is_set():
            with (
                suppress(httpx.HTTPError),
                httpx.Client(base_url=self._url(), headers=self._headers, timeout=15) as client,
            ):
                while not self._stopping.is_set():
                    number = next(numbers)
                    body = reading(self._sensor, number)
                    answer = client.post("/sensor-readings", json=body)
                    self.statuses.append(answer.status_code)
                    if answer.status_code == 201:
                        self.promises.acknowledged.append((body["sensor_id"], float(number)))
                    time.sleep(0.005 if answer.status_code == 201 else 0.1)
            time.sleep(0.05)


class Load:
    """Devices over MQTT and programs over HTTP at once."""

    def __init__(self, devices: Sequence[ReportingDevice], programs: Sequence[PostingProgram]) -> None:
        self.devices = devices
        self.programs = programs

    @contextmanager
    def running(self) -> Iterator["Load"]:
        """Leaves when everything unconfirmed was confirmed in the end."""
        workers = [*self.devices, *self.programs]
        for worker in workers:
            worker.start()
        try:
            yield self
        finally:
            for worker in workers:
                worker.stop()
        for worker in workers:
            worker.join()

    def wait_for_promises(self, more: int, seconds: float = 60) -> None:
        """Until every device and every program got so many more acknowledgements."""
        workers = [*self.devices, *self.programs]
        before = [len(worker.promises) for worker in workers]

        def look() -> bool:
            got = [len(worker.promises) - had for worker, had in zip(workers, before, strict=True)]
            assert min(got) >= more, f"acknowledgements since: {got}"
            return True

        eventually(look, seconds=seconds, pause=0.002)

    @property
    def promised(self) -> Iterator[Key]:
        for worker in (*self.devices, *self.programs):
            yield from worker.promises.acknowledged

    @property
    def timeless(self) -> set[Key]:
        """Readings that nothing identifies.

        A broker that was killed has forgotten what it had delivered and delivers it again as new (DUP 0, seen with
        nats-server 2.15). With a time it is recognised; without one it may as well be a new measurement, so it
        is recorded, for a reading twice is better than a reading lost (contract 3.5 promises no more).
        """
        return {key for device in self.devices for key in device.promises.timeless}


def load_on(product: Product, person: Api, *, programs: int = 2) -> Load:
    """Four announced devices, from one that always to one that never tells its own time, and some programs."""
    devices = [_announced(product, person) for _ in range(4)]
    posting = [_announced(product, person) for _ in range(programs)]
    headers = {"Authorization": person.client.headers["authorization"]}
    return Load(
        [
            ReportingDevice(lambda: product.urls["mqtt"], device, timeless=timeless)
            for device, timeless in zip(devices, (0, 0, 3, 1), strict=True)
        ],
        [PostingProgram(lambda: product.api, headers, device.sensor()) for device in posting],
    )


def person_on(product: Product) -> Api:
    """A logged-in user whose client follows the product over restarts by being asked anew."""
    with httpx.Client(base_url=product.api, timeout=30) as client:
        account = Api(client).register()
    return Api(httpx.Client(base_url=product.api, timeout=30, headers=account.headers))


def again(product: Product, person: Api) -> Api:
    """The same user after a restart, which may have taken another port."""
    headers = {"Authorization": person.client.headers["authorization"]}
    person.client.close()
    return Api(httpx.Client(base_url=product.api, timeout=30, headers=headers))


def count(what: str, product: Product, person: Api, load: Load) -> Tally:
    """Compares what was promised with what is listed, once everything that was promised is there.

    Raises AssertionError when the API goes on listing something else than the table holds.
    """
    tally = Tally(what, set(load.promised))

    def all_there() -> bool:
        missing = tally.acknowledged - set(stored(product.urls["postgres"]))
        assert not missing, f"{len(missing)} lost, such as {sorted(missing, key=str)[:3]}"
        return True

    with suppress(AssertionError):  # the tally says it better
        eventually(all_there, seconds=60, pause=0.2)
    rows = eventually(lambda: _agreed(product, person), seconds=60, pause=0.2)
    tally.store(rows)
    tally.unidentified = set(load.timeless)
    return tally


def _agreed(product: Product, person: Api) -> list[Key]:
    """What table and API both say; what a broker that came back still delivers may arrive between the two looks."""
    rows = stored(product.urls["postgres"])
    listed = [key for sensor in sorted({key[0] for key in rows}) for key in listed_over_http(person, sensor)]
    differing = sorted((Counter(rows) - Counter(listed)) + (Counter(listed) - Counter(rows)))
    assert not differing, f"the API lists {len(listed)}, the table holds {len(rows)}, they differ in {differing[:3]}"
    return rows


def stored(url: str) -> list[Key]:
    with psycopg.connect(url) as connection:
        return connection.execute("SELECT sensor_id::text, value FROM readings").fetchall()


def listed_over_http(person: Api, sensor: str) -> Iterator[Key]:
    for page in itertools.count():
        listed = person.readings_of(UUID(sensor), limit=1000, page=page)
        yield from ((one["sensor_id"], one["value"]) for one in listed)
        if len(listed) < 1000:
            return


def _announced(product: Product, person: Api) -> MqttDevice:
    with MqttDevice(product.urls["mqtt"]) as device:
        device.announce(device.announcement(sensors=1, actors=0))
        person.sees_device(device)
    return device
