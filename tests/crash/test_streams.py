"""Two APIs over one database, producers, and consumers that come, go and crash, while processes are killed: no message
is lost, the messages of a key stay in order, and no partition stays without an owner."""

import random
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from adapters.embedded.nats import EmbeddedNats
from adapters.embedded.postgres import EmbeddedPostgres
from tests.crash.tally import Printer
from tests.installation import Installation
from tests.waiting import eventually

TOPIC, GROUP = "orders", "shop"
KEYS = [f"key-{n}" for n in range(12)]
TIMEOUT_MS = 2_000
SECONDS = 25.0

pytestmark = [pytest.mark.timeout(300), pytest.mark.xdist_group("killed")]

Place = tuple[int, int]
"""Partition and offset."""


@dataclass
class Shop:
    """What happens, and what was seen of it."""

    urls: list[tuple[str, str]]
    promised: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    delivered: dict[Place, tuple[str, int]] = field(default_factory=dict)
    deliveries: int = 0
    gaps: list[str] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)
    _ends: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def produce(self, key: str, chance: random.Random) -> None:
        """One after the other, each until it is promised, wherever: what was not promised may be there twice."""
        with httpx.Client(timeout=10) as client:
            number = 0
            while not self.stopping.is_set():
                url = chance.choice(self.urls)[0]
                try:
                    answer = client.post(
                        f"{url}/v1/topic/{TOPIC}/messages", params={"partitionKey": key}, json=[key, number]
                    )
                except httpx.HTTPError:
                    continue
                if answer.status_code == 200:
                    self.promised[key].append(number)
                    number += 1
                time.sleep(chance.uniform(0, 0.02))

    def consume(self, name: str, chance: random.Random) -> None:
        """Lives again and again under another id: registers, polls at any API, and at last says goodbye, or falls
        silent with what it was handed."""
        life = 0
        while not self.stopping.is_set():
            life += 1
            self._live(f"{name}-{life}", chance, until=time.monotonic() + chance.uniform(0.5, 6.0))

    def _live(self, id: str, chance: random.Random, until: float) -> None:
        registered = False
        with httpx.Client(timeout=10) as client:
            while time.monotonic() < until and not self.stopping.is_set():
                url = chance.choice(self.urls)[1]
                with suppress(httpx.HTTPError):
                    if not registered:
                        query = {"consumerId": id, "group": GROUP, "topic": TOPIC, "onNewGroup": "startFromEarliest"}
                        registered = client.put(f"{url}/v1/consumer/register", params=query).status_code == 200
                    wait = chance.choice([{}, {"waitMs": "200"}])
                    answer = client.post(f"{url}/v1/consumer/poll", params={"consumerId": id, **wait})
                    if answer.status_code == 200:
                        self._take(answer.json())
                    registered = registered and answer.status_code != 409
            if chance.random() < 0.5:
                with suppress(httpx.HTTPError):
                    client.post(f"{chance.choice(self.urls)[1]}/v1/consumer/goodbye", params={"consumerId": id})

    def _take(self, items: list[dict[str, object]]) -> None:
        with self._lock:
            for item in items:
                partition, start, values = item["rangeIndex"], int(str(item["startOffset"])), item["values"]
                assert isinstance(partition, int)
                assert isinstance(values, list)
                if start > self._ends[partition]:
                    self.gaps.append(f"partition {partition}: {start} after {self._ends[partition]}")
                self._ends[partition] = max(self._ends[partition], start + len(values))
                for offset, (key, number) in enumerate(values, start):
                    self.delivered[partition, offset] = (key, number)
                    self.deliveries += 1


@pytest.fixture
def apis(directory: Path) -> Iterator[list[Installation]]:
    """Two on the same database, each with a worker."""
    with ExitStack() as stack:
        postgres = stack.enter_context(EmbeddedPostgres(directory / "postgres"))
        broker = stack.enter_context(EmbeddedNats(directory / "nats"))
        found = []
        for name in ("one", "other"):
            (directory / name).mkdir()
            installation = Installation(
                directory / name, postgres, broker, streams_auth="open", consumer_read_timeout_ms=str(TIMEOUT_MS)
            )
            found.append(stack.enter_context(installation.running()))
        yield found


def test_nothing_is_lost_passed_over_or_without_an_owner_whoever_is_killed(
    apis: list[Installation], printed: Printer
) -> None:
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    shop = Shop([(_url(api, "PRODUCER"), _url(api, "CONSUMER")) for api in apis])
    threads = [
        *(_thread(shop.produce, key, chance) for key in KEYS),
        *(_thread(shop.consume, f"c{n}", chance) for n in range(5)),
    ]
    kills = _kill_now_and_then(apis, chance)
    for thread in threads:
        thread.start()
    for _ in kills:
        pass
    shop.stopping.set()
    for thread in threads:
        thread.join(60)
    everything = _drain(shop)
    printed(
        f"streams (seed {seed}): {sum(map(len, shop.promised.values()))} promised, {len(everything)} stored,"
        f" {shop.deliveries} delivered"
    )
    assert not shop.gaps, shop.gaps[:5]
    assert sum(map(len, shop.promised.values())) > 500
    for key in KEYS:
        stored = [number for _, (of, number) in sorted(everything.items()) if of == key]
        assert stored == sorted(stored), f"the order of {key} is broken (seed {seed})"
        assert set(shop.promised[key]) <= set(stored), f"a message of {key} is lost (seed {seed})"
    assert set(everything) == set(shop.delivered), f"the group missed something (seed {seed})"
    assert all(shop.delivered[place] == value for place, value in everything.items())
    _assert_one_owner_each(shop)


def _kill_now_and_then(apis: list[Installation], chance: random.Random) -> Iterator[None]:
    """One API or worker at a time, `kill -9`, and back again."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        time.sleep(chance.uniform(1.5, 4.0))
        victim = chance.choice(apis).programs[chance.choice([0, 0, 1])]
        victim.kill()
        time.sleep(chance.uniform(0, 1.0))
        victim.start()
        yield
    for api in apis:
        eventually(api.is_ready, seconds=60)


def _drain(shop: Shop) -> dict[Place, tuple[str, int]]:
    """Lets the group read to the end; returns everything that is stored, as a group of its own sees it."""
    last = Shop(shop.urls)
    with httpx.Client(timeout=20) as client:
        url = shop.urls[0][1]
        query = {"consumerId": "last", "topic": TOPIC, "onNewGroup": "startFromEarliest"}

        def read(group: str, into: Shop, id: str) -> bool:
            client.put(f"{url}/v1/consumer/register", params={**query, "consumerId": id, "group": group})
            answer = client.post(f"{url}/v1/consumer/poll", params={"consumerId": id})
            while answer.status_code == 200:
                into._take(answer.json())
                answer = client.post(f"{url}/v1/consumer/poll", params={"consumerId": id})
            return answer.status_code == 204

        def read_to_the_end() -> bool:
            assert read(GROUP, shop, "last"), "the group cannot be read"
            missed = set(last.delivered) - set(shop.delivered)
            assert not missed, f"the group missed {len(missed)}, such as {sorted(missed)[:5]}"
            assert set(shop.delivered) == set(last.delivered), "the group was given what is not there"
            return True

        assert read("auditor", last, "auditor")
        eventually(read_to_the_end, seconds=30, pause=0.2)
    assert not last.gaps
    return last.delivered


def _assert_one_owner_each(shop: Shop) -> None:
    """Once those who fell silent are expired, the last one has everything."""
    with httpx.Client(timeout=20) as client:

        def owners() -> set[str]:
            client.post(f"{shop.urls[0][1]}/v1/consumer/poll", params={"consumerId": "last"})
            group = client.get(f"{shop.urls[1][1]}/v1/groups/{GROUP}").json()
            return {one["owner"] for one in group["partitions"]}

        eventually(lambda: owners() == {"last"}, seconds=30, pause=0.2)


def _thread(work: Callable[[str, random.Random], None], name: str, chance: random.Random) -> threading.Thread:
    return threading.Thread(target=work, args=(name, random.Random(chance.random())), daemon=True)


def _url(api: Installation, name: str) -> str:
    return f"http://127.0.0.1:{api.environment[f'TIDEMARK_{name}_PORT']}"
