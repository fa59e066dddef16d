"""The connector type `mrd`, which joins metrics and things (contract connectors 5.5)."""

from typing import Any
from uuid import uuid4

import httpx
import pytest

from entrypoints.data_directory import DataDirectory
from tests.conformance.connectors.client import App, is_error
from tests.product import Product
from tests.waiting import eventually


def device(app: App) -> str:
    """A new one, by its external id."""
    called = f"host-{uuid4().hex[:8]}"
    body = {"name": called, "description": "", "location": "x", "status_id": 1, "external_id": called}
    answer = app.client.post(f"{app.product.api}/devices", json={**body, "description": "d"})
    assert answer.status_code == 201, answer.text
    return called


def report(app: App, called: str, name: str, value: Any, type: str = "double", ttl: int = 3600) -> None:
    told = {"name": name, "value": value, "type": type, "units": "W", "slope": "both", "ttl": ttl}
    answer = app.client.put(f"{app.product.api}/mrd/{called}/metrics", json=told)
    assert answer.status_code == 200, answer.text


def test_a_device_whose_metrics_are_reported_is_a_thing(app: App) -> None:
    called = device(app)
    report(app, called, "ct.user.cpu", 12.5)
    report(app, called, "state", "idle", "string")
    report(app, called, "ct_user_cpu", 7)
    report(app, called, "left out", 1)
    app.instance("mrd")
    client = app.new_client("s1", "mrd", devices=[called], metrics=["ct*", "state"], interval_s=1)
    [mapping] = app.becomes(client, "STARTED", things=1)["mappings"]
    assert mapping["connector_thing_id"] == called
    thing = mapping["thing_id"]
    first = app.property(thing, "metrics", "ct_user_cpu")
    assert (first["name"], first["value"], first["unit"], first["type"]) == ("ct.user.cpu", "12.5", "W", "NUMBER")
    assert app.property(thing, "metrics", "ct_user_cpu_2")["value"] in ("7", "7.0")
    assert app.property(thing, "metrics", "state")["value"] == "idle"
    component = app.get(f"/things/{thing}/components/metrics", "s1").json()
    assert len(component["propertyLinks"]) == 3
    report(app, called, "ct.user.cpu", 99)
    eventually(lambda: app.property(thing, "metrics", "ct_user_cpu")["value"] in ("99", "99.0"))


def test_all_devices_are_things_when_none_are_named_and_one_without_metrics_is_unavailable(app: App) -> None:
    first, metric = device(app), f"m-{uuid4().hex[:8]}"
    report(app, first, metric, 1)
    app.instance("mrd")
    client = app.new_client("s1", "mrd", devices="*", metrics=[metric], interval_s=1)
    [mapping] = app.becomes(client, "STARTED", things=1)["mappings"]
    assert mapping["connector_thing_id"] == first
    path = f"/things/{mapping['thing_id']}"
    report(app, first, metric, 2, ttl=1)
    eventually(lambda: app.get(path, "s1").json()["status"] == "UNAVAILABLE")


def test_a_value_of_a_thing_is_reported_as_a_metric(app: App, product: Product) -> None:
    called, metric = device(app), f"m-{uuid4().hex[:8]}"
    app.instance(tick_ms=100)
    _, thing = app.started("s1", kind="thermometer")
    app.instance("mrd", jwt_secret=DataDirectory(product.data_dir).jwt_secret())
    mapped = {
        "thing_id": thing,
        "component": "thermometer",
        "property": "temperature",
        "device": called,
        "metric": metric,
    }
    client = app.new_client("s1", "mrd", direction="report", interval_s=1, map=[mapped])
    app.becomes(client, "STARTED")
    [current] = eventually(lambda: httpx.get(f"{product.api}/mrd/metrics/{metric}/current", timeout=30).json())
    assert current["id"] == called
    assert isinstance(current["value"], float)


def test_of_a_thing_of_somebody_else_nothing_is_reported(app: App, product: Product) -> None:
    other = App(product)
    other.instance(tick_ms=100)
    _, thing = other.started("s1", kind="thermometer")
    called, metric, own = device(app), f"m-{uuid4().hex[:8]}", f"m-{uuid4().hex[:8]}"
    app.instance(tick_ms=100)
    _, mine = app.started("s1", kind="thermometer")
    app.instance("mrd", jwt_secret=DataDirectory(product.data_dir).jwt_secret())
    what = {"component": "thermometer", "property": "temperature", "device": called}
    mapped = [{**what, "thing_id": thing, "metric": metric}, {**what, "thing_id": mine, "metric": own}]
    app.becomes(app.new_client("s1", "mrd", direction="report", interval_s=1, map=mapped), "STARTED")
    eventually(lambda: httpx.get(f"{product.api}/mrd/metrics/{own}/current", timeout=30).status_code == 200)
    assert httpx.get(f"{product.api}/mrd/metrics/{metric}/current", timeout=30).status_code == 404


def test_reporting_needs_a_token(app: App) -> None:
    app.instance("mrd")
    client = app.new_client("s1", "mrd", direction="report")
    assert app.becomes(client, "ERROR")["error"] == "reporting needs jwt or jwt_secret in the instance"


@pytest.mark.parametrize(
    "wrong",
    [
        {"devices": "1"},
        {"devices": [1]},
        {"metrics": [""]},
        {"interval_s": 0},
        {"direction": "sideways"},
        {"map": [{"thing_id": "x"}]},
    ],
)
def test_what_cannot_be_is_refused(app: App, wrong: dict[str, Any]) -> None:
    is_error(app.try_instance("mrd", base_url="mailto:x"), 400, "INVALID_CONFIGURATION")
    app.instance("mrd")
    is_error(app.try_client("s1", "mrd", **wrong), 400, "INVALID_CONFIGURATION")
