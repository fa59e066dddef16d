"""Things: what clients make and what apps enter (cases C60–C63, C79, C80, and 2.6)."""

from typing import Any

import pytest

from tests.conformance.connectors.client import ACT, MANAGE, NOBODY, READ, App, hrefs, is_error
from tests.product import Product
from tests.waiting import eventually

LAMP: dict[str, Any] = {
    "name": "Desk lamp",
    "manufacturer": "Acme",
    "displayType": "LAMP",
    "mainComponentId": "lamp",
    "components": [
        {
            "id": "lamp",
            "name": "Lamp",
            "componentType": "core.Lamp",
            "capabilities": None,
            "properties": [
                {"id": "level", "name": "Level", "type": "NUMBER", "unit": "%", "propertyType": "dimming"},
                {"id": "colour", "name": "Colour", "type": "STRING", "value": "red"},
            ],
            "actions": [{"id": "blink", "name": "Blink", "parameters": [{"name": "times", "type": "NUMBER"}]}],
        }
    ],
    "attributes": [{"name": "serial", "value": "0815"}],
}
LEVEL = "components/lamp/properties/level"


def entered(app: App, body: Any = LAMP, subject: str = "s1") -> str:
    answer = app.post("/things", body, subject)
    assert answer.status_code == 201, answer.text
    assert answer.json()["Id"] == answer.json()["id"]
    return str(answer.json()["id"])


def without(*keys: str, **more: Any) -> dict[str, Any]:
    return {**{key: value for key, value in LAMP.items() if key not in keys}, **more}


def test_C60_a_thing_is_shown_with_what_it_consists_of(with_instance: App, product: Product) -> None:
    _, thing = with_instance.started("s1", kind="thermometer")
    shown = with_instance.get(f"/things/{thing}", "s1").json()
    assert set(shown) == {
        *("id", "name", "manufacturer", "status", "displayType", "mainComponentId", "componentLinks", "attributes")
    }
    assert (shown["id"], shown["status"], shown["attributes"]) == (thing, "AVAILABLE", None)
    [component] = shown["componentLinks"]
    assert component["href"].startswith(f"{product.api}/api/v1/things/{thing}/components/")
    told = with_instance.request("GET", component["href"], "s1").json()
    assert set(told) == {"id", "name", "componentType", "capabilities", "propertyLinks", "actions"}
    value = with_instance.request("GET", told["propertyLinks"][0]["href"], "s1").json()
    assert set(value) == {"id", "name", "value", "unit", "type", "lastUpdate", "propertyType"}


def test_C61_a_value_is_a_text_and_its_time_goes_on(with_instance: App) -> None:
    _, thing = with_instance.started("s1", kind="thermometer")
    first = with_instance.property(thing, "thermometer", "temperature")
    assert isinstance(first["value"], str)
    float(first["value"])
    eventually(lambda: with_instance.property(thing, "thermometer", "temperature")["lastUpdate"] > first["lastUpdate"])


def test_C62_a_lamp_does_what_it_is_asked(with_instance: App, product: Product) -> None:
    _, thing = with_instance.started("s1")
    answer = with_instance.act(thing, "lamp", "setOn", {"on": "true"})
    assert answer.status_code == 201
    assert set(answer.json()) == {"id", "status", "deadline"}
    assert answer.json()["status"] == "COMPLETED"
    assert with_instance.property(thing, "lamp", "on")["value"] == "true"
    assert with_instance.act(thing, "lamp", "setLevel", {"value": 42}).json()["status"] == "COMPLETED"
    assert with_instance.property(thing, "lamp", "level")["value"] in ("42", "42.0")
    again = with_instance.get(f"/actions/requests/{answer.json()['id']}", "s1").json()
    assert again == answer.json()


def test_C63_what_a_thing_cannot_do_is_refused(with_instance: App, product: Product) -> None:
    _, thing = with_instance.started("s1")
    is_error(with_instance.act(thing, "lamp", "explode", {}), 404, "ACTION_DOESNT_EXIST")
    is_error(with_instance.act(thing, "oven", "setOn", {"on": "true"}), 404, "COMPONENT_DOESNT_EXIST")
    is_error(with_instance.act(NOBODY, "lamp", "setOn", {"on": "true"}), 404, "THING_DOESNT_EXIST")
    is_error(with_instance.act(thing, "lamp", "setOn", {"on": "maybe"}), 400, "BAD_REQUEST", "on: is no BOOLEAN")
    is_error(with_instance.act(thing, "lamp", "setLevel", {"value": "lots"}), 400, "BAD_REQUEST")
    is_error(with_instance.act(thing, "lamp", "setLevel", {"brightness": "5"}), 400, "BAD_REQUEST")
    reader = App(product, READ, MANAGE, name=with_instance.name)
    is_error(reader.act(thing, "lamp", "setOn", {"on": "true"}), 403, "FORBIDDEN")


def test_a_thing_is_a_device_with_readings_and_presence(with_instance: App) -> None:
    _, thing = with_instance.started("s1", kind="thermometer")
    api = with_instance.product.api
    device = with_instance.client.get(f"{api}/devices/{thing}")
    assert device.status_code == 200, device.text
    assert device.json()["status_id"] == 1
    sensors = [one for one in with_instance.client.get(f"{api}/sensors").json() if one["device_id"] == thing]
    assert len(sensors) == 1
    readings = eventually(
        lambda: with_instance.client.get(f"{api}/sensor-readings", params={"sensor_id": sensors[0]["id"]}).json()
    )
    assert isinstance(readings[0]["value"], float)


def test_an_app_enters_a_thing_of_its_own(app: App) -> None:
    thing = entered(app)
    shown = app.get(f"/things/{thing}", "s1").json()
    assert (shown["name"], shown["status"], shown["displayType"]) == ("Desk lamp", "AVAILABLE", "LAMP")
    assert shown["attributes"] == [{"name": "serial", "value": "0815"}]
    component = app.get(f"/things/{thing}/components/lamp", "s1").json()
    assert component["actions"] == [{"name": "blink", "parameters": [{"name": "times", "type": "NUMBER"}]}]
    assert app.property(thing, "lamp", "colour")["value"] == "red"
    assert app.property(thing, "lamp", "level") == {
        "id": "level",
        "name": "Level",
        "value": "",
        "unit": "%",
        "type": "NUMBER",
        "lastUpdate": None,
        "propertyType": "dimming",
    }
    assert len(hrefs(app.get("/things", "s1"))) == 1


def test_keys_may_be_all_in_lower_case(app: App) -> None:
    [component] = LAMP["components"]
    old = without("displayType", "mainComponentId", displaytype="LAMP", maincomponentid="lamp")
    lower = {key: value for key, value in component.items() if key != "componentType"}
    thing = entered(app, {**old, "components": [{**lower, "componenttype": "core.Lamp"}]})
    assert app.get(f"/things/{thing}", "s1").json()["displayType"] == "LAMP"


def test_a_value_that_an_app_tells_is_a_reading(app: App) -> None:
    thing = entered(app)
    answer = app.request("PUT", f"/things/{thing}/{LEVEL}", "s1", json={"value": "12.5"})
    assert (answer.status_code, answer.content) == (204, b"")
    assert app.property(thing, "lamp", "level")["value"] == "12.5"
    told = {"value": "13", "lastUpdate": "2026-11-21T10:00:00Z"}
    assert app.request("PUT", f"/things/{thing}/{LEVEL}", "s1", json=told).status_code == 204
    assert app.property(thing, "lamp", "level")["lastUpdate"] == "2026-11-21T10:00:00Z"
    [sensor] = [one for one in app.client.get(f"{app.product.api}/sensors").json() if one["device_id"] == thing]
    values = eventually(
        lambda: app.client.get(f"{app.product.api}/sensor-readings", params={"sensor_id": sensor["id"]}).json()
    )
    assert sorted(one["value"] for one in values) == [12.5, 13]


@pytest.mark.parametrize("body", [{}, {"value": None}, {"value": []}, {"value": "1", "lastUpdate": "yesterday"}])
def test_what_is_no_value_is_refused(app: App, body: Any) -> None:
    thing = entered(app)
    is_error(app.request("PUT", f"/things/{thing}/{LEVEL}", "s1", json=body), 400, "BAD_REQUEST")
    path = f"/things/{thing}/components/lamp/properties/weight"
    is_error(app.request("PUT", path, "s1", json={"value": "1"}), 404, "PROPERTY_DOESNT_EXIST")


def test_the_status_of_a_thing_is_the_presence_of_its_device(app: App) -> None:
    thing = entered(app)
    answer = app.request("PATCH", f"/things/{thing}", "s1", json={"status": "UNAVAILABLE"})
    assert (answer.status_code, answer.content) == (204, b"")
    assert app.get(f"/things/{thing}", "s1").json()["status"] == "UNAVAILABLE"
    assert app.client.get(f"{app.product.api}/devices/{thing}").json()["status_id"] == 4
    is_error(app.request("PATCH", f"/things/{thing}", "s1", json={"status": "ASLEEP"}), 400, "BAD_REQUEST")


@pytest.mark.parametrize(
    "body",
    [
        {},
        without("displayType"),
        without("mainComponentId"),
        without("components"),
        without(components=[]),
        without(components="lamp"),
        without(mainComponentId="oven"),
        without(name=5),
        without(components=[{**LAMP["components"][0], "id": "bad id!"}]),
        without(components=[{**LAMP["components"][0], "componentType": ""}]),
        without(components=[{**LAMP["components"][0], "properties": [], "actions": []}]),
        without(components=[{**LAMP["components"][0], "properties": [{"id": "x", "type": "COLOUR"}]}]),
        without(components=[{**LAMP["components"][0], "actions": [{"id": "a"}, {"id": "A"}]}]),
        without(status="ASLEEP"),
    ],
)
def test_C79_what_is_no_thing_is_refused_and_not_kept(app: App, body: Any) -> None:
    is_error(app.post("/things", body, "s1"), 400, "BAD_REQUEST")
    assert hrefs(app.get("/things", "s1")) == []


def test_C80_a_thing_that_is_removed_leaves_its_client_s_mappings(with_instance: App) -> None:
    id = with_instance.new_client("s1", things=2)
    shown = with_instance.becomes(id, "STARTED", things=2)
    gone, kept = (one["thing_id"] for one in shown["mappings"])
    assert with_instance.delete(f"/things/{gone}", "s1").status_code == 200
    assert [one["thing_id"] for one in with_instance.shown(id)["mappings"]] == [kept]
    is_error(with_instance.get(f"/things/{gone}", "s1"), 404, "THING_DOESNT_EXIST")


def test_an_action_of_a_thing_that_nobody_runs_fails_and_says_so(app: App) -> None:
    thing = entered(app)
    answer = app.act(thing, "lamp", "blink", {"times": 3})
    assert answer.status_code == 201
    assert (answer.json()["status"], answer.json()["error"]) == ("FAILED", "nobody runs this thing")


def test_only_who_may_act_acts_and_only_who_may_read_reads(product: Product) -> None:
    actor = App(product, ACT)
    is_error(actor.get("/things", "s1"), 403, "FORBIDDEN")
    is_error(App(product, READ).post("/things", LAMP, "s1"), 403, "FORBIDDEN")
    assert App(product, READ).get("/things", "s1").status_code == 200


def test_the_calls_of_old_apps_for_callbacks_are_answered(app: App, product: Product) -> None:
    url = app.get("/connectors/callbackurl").json()["href"]
    assert url.startswith(f"{product.api}/api/v1/connectors/actions/")
    assert app.post("/actions/callback/register", {"CallbackUrl": url}).status_code == 200
    is_error(app.post("/actions/callback/register", {}), 400, "BAD_REQUEST")
