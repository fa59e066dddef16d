"""Contract 4.5: readings over HTTP."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from tests.conformance.lambda_iot.client import READING_KEYS, U0, Api, instant, is_error, seconds_ago
from tests.conformance.lambda_iot.test_devices import aliases
from tests.fleet import MqttDevice, reading


def stored(person: Api, known: MqttDevice, **fields: Any) -> dict[str, Any]:
    """Posts a reading of the device's first sensor and reads it back."""
    answer = person.post("/sensor-readings", {"sensor_id": str(known.sensor()), "value": 1, **fields})
    assert answer.status_code == 201, answer.text
    found = person.ok(f"/sensor-readings/{answer.json()['id']}")
    assert isinstance(found, dict)
    return found


def refused(person: Api, known: MqttDevice, text: str, **fields: Any) -> None:
    body = {"sensor_id": str(known.sensor()), "value": 1, **fields}
    is_error(person.post("/sensor-readings", body), 400, text)


def fill(known: MqttDevice, count: int) -> list[float]:
    """So many readings over MQTT, a second apart, and their values, the oldest first."""
    start = datetime(2026, 1, 14, tzinfo=UTC)
    values = [float(number) for number in range(count)]
    messages = [
        reading(known.sensor(), value, (start + timedelta(seconds=value)).isoformat().replace("+00:00", "Z"))
        for value in values
    ]
    for first in range(0, count, 400):
        known.report(*messages[first : first + 400])
    return values


def test_RE01_a_reading_gets_a_whole_number_as_its_id(person: Api, known: MqttDevice) -> None:
    answer = person.post("/sensor-readings", {"sensor_id": str(known.sensor()), "value": 22.5})
    assert answer.status_code == 201
    id = answer.json()["id"]
    assert answer.json() == {"id": id}
    assert type(id) is int
    assert id >= 1


def test_RE02_a_reading_is_there_at_once_with_the_time_of_its_arrival(person: Api, known: MqttDevice) -> None:
    found = stored(person, known, value=22.5)
    assert set(found) == READING_KEYS
    assert (found["sensor_id"], found["value"]) == (str(known.sensor()), 22.5)
    assert -2 < seconds_ago(found["value_at"]) < 10
    assert person.readings_of(known.sensor()) == [found]


def test_RE04_a_time_with_an_offset_is_told_in_utc(person: Api, known: MqttDevice) -> None:
    assert stored(person, known, value_at="2026-01-14T11:00:00+01:00")["value_at"] == "2026-01-14T10:00:00Z"


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        ("2026-01-14T10:00:00.250Z", "2026-01-14T10:00:00.250000Z"),
        ("2026-01-14T10:00:00.000Z", "2026-01-14T10:00:00Z"),
        ("2026-01-14T10:00:00.123456789Z", None),
        ("2026-01-14t10:00:00z", "2026-01-14T10:00:00Z"),
        ("2026-01-14T10:00:00-00:00", "2026-01-14T10:00:00Z"),
        ("1999-12-31T23:59:59+14:00", "1999-12-31T09:59:59Z"),
        ("2096-02-29T00:00:00Z", "2096-02-29T00:00:00Z"),
    ],
)
def test_RE05_an_instant_is_kept_with_its_fraction(
    person: Api, known: MqttDevice, told: str, shown: str | None
) -> None:
    answer = stored(person, known, value_at=told)["value_at"]
    if shown is not None:
        assert instant(answer) == instant(shown)
        assert ("." in answer) == ("." in shown)
    else:
        assert abs(instant(answer) - instant("2026-01-14T10:00:00.123456Z")) <= timedelta(microseconds=1)


@pytest.mark.parametrize("value", [0, -40, 0.0, -0.0, 1e-300, 1.7976931348623157e308, 5e-324, 123456789.123456789])
def test_RE07_any_finite_number_is_a_value(person: Api, known: MqttDevice, value: float) -> None:
    assert stored(person, known, value=value)["value"] == value


@pytest.mark.parametrize("value", ["22.5", True, False, [1], {"a": 1}, "NaN"])
def test_RE08_a_value_must_be_a_number(person: Api, known: MqttDevice, value: Any) -> None:
    refused(person, known, "invalid value", value=value)


def test_RE08_a_value_is_required(person: Api, known: MqttDevice) -> None:
    refused(person, known, "value is required", value=None)
    is_error(person.post("/sensor-readings", {"sensor_id": str(known.sensor())}), 400, "value is required")


@pytest.mark.parametrize(
    "number", ["NaN", "Infinity", "-Infinity", "1e400", "-1e400", "9" * 400, "01", "+1", ".5", "0x1"]
)
def test_a_number_that_is_none_is_refused(person: Api, known: MqttDevice, number: str) -> None:
    is_error(person.post("/sensor-readings", f'{{"sensor_id":"{known.sensor()}","value":{number}}}'), 400)
    assert person.readings_of(known.sensor()) == []


def test_RE10_a_whole_number_is_a_value(person: Api, known: MqttDevice) -> None:
    assert stored(person, known, value=22)["value"] == 22
    assert stored(person, known, value=2**53)["value"] == 2**53


def test_RE11_a_reading_needs_a_sensor(person: Api, known: MqttDevice) -> None:
    is_error(person.post("/sensor-readings", {"value": 1}), 400, "sensor_id is required")
    refused(person, known, "sensor_id is required", sensor_id=None)
    refused(person, known, "sensor_id is required", sensor_id="")
    refused(person, known, "invalid sensor_id", sensor_id="abc")
    refused(person, known, "invalid sensor_id", sensor_id=5)
    for alias in (f"{{{known.sensor()}}}", f"urn:uuid:{known.sensor()}", known.sensor().hex):
        refused(person, known, "invalid sensor_id", sensor_id=alias)


def test_a_reading_of_an_unknown_sensor_is_a_bad_request(person: Api, known: MqttDevice) -> None:
    refused(person, known, "sensor not found", sensor_id=U0)
    refused(person, known, "sensor not found", sensor_id=str(known.actor()))
    refused(person, known, "sensor not found", sensor_id=str(known.id))


def test_a_sensor_id_in_capitals_is_the_same_sensor(person: Api, known: MqttDevice) -> None:
    assert stored(person, known, sensor_id=str(known.sensor()).upper())["sensor_id"] == str(known.sensor())


@pytest.mark.parametrize(
    "value_at",
    [
        "2026-01-14",
        "2026-01-14 10:00:00Z",
        "2026-01-14T10:00:00",
        "20260114T100000Z",
        "2026-W03-3T10:00:00Z",
        "2026-01-14T10:00Z",
        "2026-01-14T25:00:00Z",
        "2026-02-30T10:00:00Z",
        "2026-01-14T10:00:00+0100",
        "2026-01-14T10:00:00+25:00",
        "2026-01-14T10:00:00,5Z",
        "2026-01-14T10:00:00Z ",
        "٢٠٢٦-01-14T10:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "now",
        1768384800,
        True,
        [],
    ],
)
def test_a_time_that_is_not_rfc3339_with_a_zone_is_refused(person: Api, known: MqttDevice, value_at: Any) -> None:
    refused(person, known, "invalid value_at", value_at=value_at)


@pytest.mark.parametrize("value_at", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"])
def test_the_first_and_the_last_instant_can_be_stored(person: Api, known: MqttDevice, value_at: str) -> None:
    assert instant(stored(person, known, value_at=value_at)["value_at"]) == instant(value_at)


def test_RE13_a_page_holds_100_readings_by_default(person: Api, known: MqttDevice) -> None:
    values = fill(known, 150)
    person.sees_values(known.sensor(), *values)
    assert len(person.ok("/sensor-readings")) == 100
    assert len(person.readings_of(known.sensor())) == 100


def test_RE14_a_page_is_as_long_as_asked_for(person: Api, known: MqttDevice) -> None:
    person.sees_values(known.sensor(), *fill(known, 20))
    assert [one["value"] for one in person.readings_of(known.sensor(), limit=10)] == [
        float(n) for n in range(19, 9, -1)
    ]
    assert len(person.ok("/sensor-readings", params={"limit": 10})) == 10


def test_RE16_a_page_never_holds_more_than_1000(person: Api, known: MqttDevice) -> None:
    fill(known, 1200)
    person.sees_values(known.sensor(), *[float(number) for number in range(200, 1200)])
    assert len(person.readings_of(known.sensor(), limit=5000)) == 1000
    assert len(person.readings_of(known.sensor(), limit=1000, page=1)) == 200
    assert len(person.ok("/sensor-readings", params={"limit": 10**12})) == 1000


@pytest.mark.parametrize("limit", ["0", "-1", "abc", "1.5", "", "1e2", " 5", "+5", "٣", "0x10", "9" * 40])
def test_RE17_a_limit_is_a_whole_number_from_one(person: Api, limit: str) -> None:
    is_error(person.get("/sensor-readings", params={"limit": limit}), 400, "invalid limit")


@pytest.mark.parametrize("page", ["-1", "abc", "1.5", "", "1e2", "+5"])
def test_a_page_is_a_whole_number_from_zero(person: Api, page: str) -> None:
    is_error(person.get("/sensor-readings", params={"page": page}), 400, "invalid page")


def test_RE19_pages_are_disjoint_and_complete(person: Api, known: MqttDevice) -> None:
    values = fill(known, 150)
    person.sees_values(known.sensor(), *values)
    first, second = (person.readings_of(known.sensor(), limit=100, page=page) for page in (0, 1))
    assert (len(first), len(second)) == (100, 50)
    assert sorted(one["value"] for one in (*first, *second)) == values


@pytest.mark.parametrize("page", [999, 10**12])
def test_RE20_beyond_the_end_a_page_is_empty(person: Api, known: MqttDevice, page: int) -> None:
    assert person.readings_of(known.sensor(), page=page) == []
    assert person.ok("/sensor-readings", params={"page": 10**9, "limit": 1000}) == []


def test_RE22_an_unknown_sensor_has_no_readings(person: Api) -> None:
    assert person.readings_of(UUID(U0)) == []


def test_RE23_a_malformed_sensor_id_in_the_query_is_a_bad_request(person: Api, known: MqttDevice) -> None:
    is_error(person.get("/sensor-readings?sensor_id=abc"), 400, "invalid sensor ID")
    is_error(person.get("/sensor-readings?sensor_id="), 400, "invalid sensor ID")
    for alias in aliases(known.sensor()):
        is_error(person.get(f"/sensor-readings?sensor_id={alias}"), 400, "invalid sensor ID")


@pytest.mark.parametrize("id", ["abc", "0", "-1", "1.0", "1e3", "9223372036854775808", "1" * 100, "%31%00", "٣", "+1"])
def test_RE25_a_malformed_reading_id_is_a_bad_request(person: Api, id: str) -> None:
    is_error(person.get(f"/sensor-readings/{id}"), 400, "invalid reading ID")


@pytest.mark.parametrize("id", [999999999, 2**63 - 1])
def test_RE26_an_unknown_reading_is_not_found(person: Api, id: int) -> None:
    is_error(person.get(f"/sensor-readings/{id}"), 404, "resource not found")


def test_RE32_ids_grow(person: Api, known: MqttDevice) -> None:
    ids = [stored(person, known, value=value)["id"] for value in range(5)]
    assert ids == sorted(set(ids))


def test_the_newest_time_comes_first_then_the_newest_id(person: Api, known: MqttDevice) -> None:
    at = ["2026-01-14T10:00:00Z", "2026-01-14T12:00:00Z", "2026-01-14T11:00:00Z", "2026-01-14T12:00:00Z"]
    ids = [stored(person, known, value=number, value_at=time)["id"] for number, time in enumerate(at)]
    assert [one["id"] for one in person.readings_of(known.sensor())] == [ids[3], ids[1], ids[2], ids[0]]


def test_over_http_the_same_reading_twice_is_two_readings(person: Api, known: MqttDevice) -> None:
    for _ in range(2):
        stored(person, known, value=7, value_at="2026-01-14T10:00:00Z")
    assert person.values_of(known.sensor()) == [7, 7]
