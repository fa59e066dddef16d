"""PostgreSQL goes away under the processes of production: writes fail clearly, and all resumes by itself."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from adapters.embedded.nats import EmbeddedNats
from adapters.embedded.postgres import EmbeddedPostgres
from tests.conformance.lambda_iot.client import PASSWORD, Api, is_error
from tests.crash.load import ReportingDevice, stored
from tests.crash.tally import Printer, Stopwatch, Tally
from tests.fleet import MqttDevice, reading
from tests.installation import Installation
from tests.servers import frozen
from tests.waiting import eventually

LONG_SECONDS = 60.0
SHORT_SECONDS = 20.0
QUICK_SECONDS = 3.0
# Where nothing refuses, every step has to wait before it knows.
SILENT_SECONDS = 8.0

pytestmark = [pytest.mark.timeout(600), pytest.mark.xdist_group("away")]


@pytest.fixture
def installation(directory: Path) -> Iterator[Installation]:
    with ExitStack() as stack:
        postgres = stack.enter_context(EmbeddedPostgres(directory / "postgres"))
        broker = stack.enter_context(EmbeddedNats(directory / "nats"))
        yield stack.enter_context(Installation(directory, postgres, broker).running())


@contextmanager
def stopped(postgres: EmbeddedPostgres) -> Iterator[None]:
    """Nobody listens: connections are refused."""
    postgres.stop()
    yield
    postgres.start()


@contextmanager
def killed(postgres: EmbeddedPostgres) -> Iterator[None]:
    postgres.kill()
    yield
    postgres.restart()


@pytest.mark.parametrize(
    ("away", "away_seconds"),
    [(stopped, LONG_SECONDS), (killed, SHORT_SECONDS), (frozen, SHORT_SECONDS)],
    ids=["stopped", "killed", "frozen"],
)
def test_writes_fail_clearly_while_postgresql_is_away_and_all_resumes(
    installation: Installation,
    printed: Printer,
    away: Callable[[EmbeddedPostgres], AbstractContextManager[None]],
    away_seconds: float,
) -> None:
    client = httpx.Client(base_url=installation.api, timeout=30)
    account = Api(client).register()
    person = Api(httpx.Client(base_url=installation.api, timeout=30, headers=account.headers))
    with MqttDevice(installation.broker.mqtt_url) as device:
        device.announce(device.announcement(sensors=2))
        person.sees_device(device)
    reporting = ReportingDevice(lambda: installation.broker.mqtt_url, device, timeless=3)
    reporting.start()
    eventually(lambda: len(reporting.promises) > 100)
    posted = reading(device.sensor(1), 1)
    assert person.post("/sensor-readings", posted).status_code == 201
    refusals = Refusals(person, account.username, posted)
    with away(installation.postgres):
        gone = time.monotonic()
        eventually(lambda: not installation.is_ready(), seconds=15)
        before = len(reporting.promises)
        while time.monotonic() - gone < away_seconds:
            refusals.collect()
            assert client.get("/health").json() == {"status": "ok"}
            assert client.get("/health/live").status_code == 200
            time.sleep(0.5)
        assert len(reporting.promises) > before, "the broker goes on, and with it the devices"
    recovery = Stopwatch()
    eventually(
        lambda: person.client.post("/sensor-readings", json={**posted, "value": 2}).status_code == 201, seconds=60
    )
    eventually(installation.is_ready, seconds=60)
    seconds = recovery.seconds
    reporting.stop()
    reporting.join()
    tally = Tally(f"PostgreSQL away for {away_seconds:.0f} s", set(reporting.promises.acknowledged))
    tally.recoveries.append(seconds)

    def all_there() -> bool:
        missing = tally.acknowledged - set(stored(installation.postgres.url))
        assert not missing, f"{len(missing)} missing\n{installation.logs()}"
        return True

    eventually(all_there, seconds=60, pause=0.2)
    tally.store(one for one in stored(installation.postgres.url) if one[0] == str(device.sensor(0)))
    printed(tally, f"slowest refusal meanwhile {refusals.slowest:.2f} s, of unknown outcome {refusals.unknown}")
    assert not tally.lost
    assert not tally.duplicate
    assert refusals.slowest < (SILENT_SECONDS if away is frozen else QUICK_SECONDS)
    over_http = [one[1] for one in stored(installation.postgres.url) if one[0] == str(device.sensor(1))]
    assert over_http.count(1.0) == 1
    assert over_http.count(66.0) <= refusals.unknown, "what was refused was not stored"
    for program in installation.programs:
        assert program.is_alive
        program.stop()


class Refusals:
    """What the API answers meanwhile: to everything 503 with a reason."""

    def __init__(self, person: Api, username: str, posted: dict[str, object]) -> None:
        self._person = person
        self._asked = (
            ("POST", "/sensor-readings", {**posted, "value": 66}),
            ("POST", "/register", {"username": f"{username}x", "password": PASSWORD}),
            ("POST", "/login", {"username": username, "password": PASSWORD}),
            ("GET", "/sensor-readings", None),
            ("GET", "/devices", None),
        )
        self.slowest = 0.0
        self.unknown = 0

    def collect(self) -> None:
        """One of each, all at once."""
        with ThreadPoolExecutor(len(self._asked)) as threads:
            for seconds, text in threads.map(self._ask, self._asked):
                self.slowest = max(self.slowest, seconds)
                self.unknown += "may still be stored" in text

    def _ask(self, request: tuple[str, str, object]) -> tuple[float, str]:
        started = time.monotonic()
        answer = self._person.request(request[0], request[1], json=request[2])
        is_error(answer, 503)
        assert "retry-after" in answer.headers
        return time.monotonic() - started, answer.json()["error"]
