"""The API as a client uses it, and what every answer of this contract has in common."""

import re
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import httpx

from tests.fleet import MqttDevice
from tests.waiting import eventually

U0 = "00000000-0000-4000-8000-000000000000"
PASSWORD = "secret123"

DEVICE_KEYS = {"id", "name", "description", "location", "status_id", "created_at", "updated_at"}
PART_KEYS = {"id", "device_id", "name", "type", "data_type_id", "created_at", "updated_at"}
READING_KEYS = {"id", "sensor_id", "value", "value_at"}

_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


class Account(NamedTuple):
    id: UUID
    username: str
    token: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


class Api:
    """Thin over httpx: what is sent is in the test, what is checked every time is here."""

    def __init__(self, client: httpx.Client) -> None:
        self.client = client

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self._checked(self.client.get(path, **options))

    def post(self, path: str, body: Any = None, **options: Any) -> httpx.Response:
        """`body`: bytes and text as they are, everything else as JSON."""
        if isinstance(body, bytes | str):
            return self._checked(self.client.post(path, content=body, **options))
        return self._checked(self.client.post(path, json=body, **options))

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        return self._checked(self.client.request(method, path, **options))

    def register(self, username: str | None = None) -> Account:
        """A new account, logged in."""
        username = username or f"user-{uuid4().hex[:12]}"
        registered = self.post("/register", {"username": username, "password": PASSWORD})
        assert registered.status_code == 201, registered.text
        login = self.post("/login", {"username": username, "password": PASSWORD})
        assert login.status_code == 200, login.text
        return Account(UUID(registered.json()["id"]), username, login.json()["token"])

    def ok(self, path: str, **options: Any) -> Any:
        """The body of a successful read."""
        answer = self.get(path, **options)
        assert answer.status_code == 200, f"{path} → {answer.status_code} {answer.text}"
        return answer.json()

    def device(self, device: MqttDevice) -> dict[str, Any]:
        found = self.ok(f"/devices/{device.id}")
        assert isinstance(found, dict)
        return found

    def sees_device(self, device: MqttDevice, **fields: Any) -> dict[str, Any]:
        """Waits until the device is listed with these fields."""

        def look() -> dict[str, Any]:
            answer = self.get(f"/devices/{device.id}")
            assert answer.status_code == 200, f"the device is not there: {answer.text}"
            found: dict[str, Any] = answer.json()
            assert {name: found[name] for name in fields} == fields
            return found

        return eventually(look)

    def parts_of(self, device: MqttDevice, kind: str = "sensors") -> list[dict[str, Any]]:
        return [part for part in self.ok(f"/{kind}") if part["device_id"] == str(device.id)]

    def sees_parts(self, device: MqttDevice, ids: set[UUID], kind: str = "sensors") -> list[dict[str, Any]]:
        """Waits until exactly these sensors (or actors) of the device are in service."""

        def look() -> bool:
            assert {UUID(part["id"]) for part in self.parts_of(device, kind)} == ids
            return True

        eventually(look)
        return self.parts_of(device, kind)

    def readings_of(self, sensor: UUID, **query: Any) -> list[dict[str, Any]]:
        listed = self.ok("/sensor-readings", params={"sensor_id": str(sensor), **query})
        assert isinstance(listed, list)
        return listed

    def values_of(self, sensor: UUID) -> list[float]:
        """All values of the sensor, the oldest first."""
        return [one["value"] for one in reversed(self.readings_of(sensor, limit=1000))]

    def sees_values(self, sensor: UUID, *values: float) -> None:
        """Waits until the sensor has exactly these readings, in whatever order."""

        def look() -> bool:
            assert sorted(self.values_of(sensor)) == sorted(values)
            return True

        eventually(look)

    @staticmethod
    def _checked(answer: httpx.Response) -> httpx.Response:
        """What holds for every answer: JSON, never a redirect, an error has exactly one key with some text."""
        where = f"{answer.request.method} {answer.request.url} → {answer.status_code} {answer.text[:500]}"
        assert not answer.is_redirect, where
        assert answer.headers["content-type"] == "application/json; charset=utf-8", where
        if answer.request.method != "HEAD" and answer.status_code >= 400:
            body = answer.json()
            assert list(body) == ["error"], where
            assert isinstance(body["error"], str), where
            assert body["error"], where
        return answer


def is_error(answer: httpx.Response, status: int, text: str | None = None) -> None:
    """E(text), or E* without one."""
    assert answer.status_code == status, answer.text
    if text is not None:
        assert answer.json() == {"error": text}


def instant(text: str) -> datetime:
    """A timestamp of an answer, which must be RFC 3339 in UTC with `Z`."""
    assert _INSTANT.fullmatch(text), text
    return datetime.fromisoformat(text)


def seconds_ago(text: str) -> float:
    return (datetime.now(UTC) - instant(text)).total_seconds()
