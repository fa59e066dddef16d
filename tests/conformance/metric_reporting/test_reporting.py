"""Cases 2A, reporting: what is taken, and what is refused with which words."""

import json
from typing import Any

import pytest

from tests.conformance.lambda_iot.client import U0, Api
from tests.conformance.lambda_iot.registry import delete, put
from tests.conformance.metric_reporting.client import (
    JSON,
    Daemon,
    is_done,
    is_invalid,
    is_not_found,
    is_refused,
    is_unparsable,
    metric,
    new_host,
    new_name,
    new_unnamed_host,
)

TYPES = "string int8 uint8 int16 uint16 int32 uint32 float double"


def required(field: str) -> tuple[str, str, str]:
    return "required", f"{field} is a required field", field


def unfit(type: str) -> tuple[str, str, str]:
    return "validtype", f"value is not valid for type {type}", "value"


def test_m01_and_m02_a_value_is_taken_and_read_back(mount: Daemon, host: str) -> None:
    is_done(mount.put(host, metric()))
    assert mount.ok(f"/devices/{host}/metrics/current") == [
        {"id": "my-metric", "name": "my-metric", "nature": "volatile", "units": "my-units", "value": 12}
    ]


def test_m04_a_whole_number_is_a_double(daemon: Daemon, host: str) -> None:
    is_done(daemon.put(host, {"name": "d", "value": 20, "units": "", "type": "double", "slope": "both", "ttl": 60}))
    assert '"value":20}' in daemon.get(f"/devices/{host}/metrics/current").text


def test_m05_a_fraction_of_nothing_is_whole(daemon: Daemon, host: str) -> None:
    body = '{"name":"i","value":3.0,"units":"","type":"int32","slope":"both","ttl":60}'
    is_done(daemon.put(host, body))
    assert '"value":3}' in daemon.get(f"/devices/{host}/metrics/current").text


@pytest.mark.parametrize(
    ("case", "type", "value"),
    [
        ("m06", "int32", "3.14"),
        ("m07", "uint8", "-1"),
        ("m07", "uint8", "-0"),
        ("m07", "uint16", "-0.0"),
        ("m08", "string", "10"),
        ("m09", "int32", '"12"'),
        ("m09", "double", '"12"'),
        ("m10", "int32", "true"),
        ("m11", "double", "[1]"),
        ("m11", "double", "{}"),
        ("m12", "int8", "128"),
        ("m13", "uint32", "4294967296"),
        ("m13", "int32", "18446744073709551616"),
        ("m13", "float", "1e39"),
    ],
)
def test_m06_to_m13_a_value_fits_its_type(daemon: Daemon, host: str, case: str, type: str, value: str) -> None:
    body = f'{{"name":"{case}","value":{value},"units":"","type":"{type}","slope":"both","ttl":60}}'
    is_invalid(daemon.put(host, body), unfit(type))


@pytest.mark.parametrize(
    ("type", "value"),
    [
        ("uint32", 4294967295),
        ("int8", -128),
        ("uint8", 0),
        ("int32", 0),
        ("int32", -20),
        ("float", 3.4028234e38),
        ("double", -1e300),
        ("double", 1.23456789),
        ("string", ""),
        ("string", '<b>&"é\u2028\0'),
    ],
)
def test_m12_to_m16_what_fits_is_kept_as_it_is(daemon: Daemon, host: str, type: str, value: Any) -> None:
    daemon.report(host, type=type, value=value, units="")
    kept = daemon.value(host, "my-metric")
    assert type == "string" or kept == pytest.approx(value, rel=1e-12)
    if type == "string":
        assert kept == value.replace("\0", "\ufffd")


def test_m14_a_sign_is_kept(daemon: Daemon, host: str) -> None:
    name = new_name()
    daemon.report(host, name=name, value=-20, type="int32")
    assert daemon.ok(f"/metrics/{name}/current") == [{"id": host, "value": -20}]


@pytest.mark.parametrize("body", ["{}", "null", '{"name":null,"ttl":null,"other":1}'])
def test_m17_all_that_is_missing_is_told_together(daemon: Daemon, host: str, body: str) -> None:
    is_invalid(daemon.put(host, body), *map(required, ("name", "value", "units", "type", "slope", "ttl")))


def test_the_documents_example_of_three_errors(daemon: Daemon, host: str) -> None:
    slope = ("oneof", "slope must be one of [zero positive negative both derivative]", "slope")
    ttl = ("min", "ttl must be 1 or greater", "ttl")
    is_invalid(daemon.put(host, metric(units=..., slope="up", ttl=-1)), required("units"), slope, ttl)


@pytest.mark.parametrize("units", ["", " ", "°C", "%", "B/s"])
def test_m19_and_m29_units_are_free_text(daemon: Daemon, host: str, units: str) -> None:
    daemon.report(host, units=units)
    [found] = daemon.ok(f"/devices/{host}/metrics/current")
    assert found["units"] == units


@pytest.mark.parametrize("missing", [..., None])
def test_m18_units_are_required(daemon: Daemon, host: str, missing: Any) -> None:
    is_invalid(daemon.put(host, metric(units=missing)), required("units"))


def test_m20_an_empty_name_is_none(daemon: Daemon, host: str) -> None:
    is_invalid(daemon.put(host, metric(name="")), required("name"))


def test_m21_a_blank_name_is_none_either(daemon: Daemon, host: str) -> None:
    is_invalid(daemon.put(host, metric(name=" \t")), ("notblank", "name cannot be blank", "name"))


@pytest.mark.parametrize("missing", [..., None])
def test_m22_no_value_fits_no_type(daemon: Daemon, host: str, missing: Any) -> None:
    is_invalid(daemon.put(host, metric(value=missing)), required("value"), unfit("uint32"))


@pytest.mark.parametrize("type", ["int64", "INT8"])
def test_m23_types_are_those_of_the_contract(daemon: Daemon, host: str, type: str) -> None:
    is_invalid(daemon.put(host, metric(type=type)), ("oneof", f"type must be one of [{TYPES}]", "type"))


def test_m24_and_m25_slopes_are_those_of_the_contract(daemon: Daemon, host: str) -> None:
    text = "slope must be one of [zero positive negative both derivative]"
    is_invalid(daemon.put(host, metric(slope="Zero")), ("oneof", text, "slope"))


def test_m26_a_ttl_of_zero_is_none(daemon: Daemon, host: str) -> None:
    is_invalid(daemon.put(host, metric(ttl=0)), required("ttl"))


def test_m27_a_ttl_is_at_least_a_second(daemon: Daemon, host: str) -> None:
    is_invalid(daemon.put(host, metric(ttl=-1)), ("min", "ttl must be 1 or greater", "ttl"))


@pytest.mark.parametrize("character", "<>'\"&")
def test_m28_units_have_no_markup(daemon: Daemon, host: str, character: str) -> None:
    text = "units cannot contain any of the following characters '<>'\"&'"
    answer = daemon.put(host, metric(units=character))
    is_invalid(answer, ("excludesall", text, "units"))
    assert r"""'\u003c\u003e'\"\u0026'""" in answer.text


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" \n",
        b'{"name":"x',
        b"hello",
        b'{"a":1,}',
        b"[]",
        b'"x"',
        b"5",
        b"true",
        b"[" * 100_000,
        json.dumps(metric(name=5)).encode(),
        json.dumps(metric(units=[])).encode(),
        json.dumps(metric(slope=True)).encode(),
        json.dumps(metric(ttl="60")).encode(),
        json.dumps(metric(ttl=1.5)).encode(),
        json.dumps(metric(ttl=60.0)).encode(),
        json.dumps(metric(ttl=True)).encode(),
        json.dumps(metric(ttl=2**63)).encode(),
        json.dumps(metric(ttl={})).encode(),
        b'{"name":"x","value":1,"units":"","type":"double","slope":"both","ttl":1e3}',
        b'{"name":"x","value":NaN,"units":"","type":"double","slope":"both","ttl":5}',
        b'{"name":"x","value":-Infinity,"units":"","type":"double","slope":"both","ttl":5}',
        b'{"name":"x","value":1e400,"units":"","type":"double","slope":"both","ttl":5}',
        b'{"name":"x","value":1' + b"0" * 400 + b',"units":"","type":"double","slope":"both","ttl":5}',
        b'{"name":"x","value":1' + b"0" * 9000 + b',"units":"","type":"double","slope":"both","ttl":5}',
    ],
)
def test_m30_to_m36_what_cannot_be_parsed_is_told_so(daemon: Daemon, host: str, body: bytes) -> None:
    is_unparsable(daemon.put(host, body))


def test_m37_what_follows_the_first_value_is_ignored(daemon: Daemon, host: str) -> None:
    for more in (" trailing", "]", json.dumps(metric(value=13)), "\0"):
        is_done(daemon.put(host, json.dumps(metric()) + more))
        assert daemon.value(host, "my-metric") == 12


@pytest.mark.parametrize("type", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_m38_the_type_of_a_body_is_not_looked_at(daemon: Daemon, host: str, type: str) -> None:
    is_done(daemon.put(host, metric(), headers={"Content-Type": type}))


def test_m39_a_body_may_come_in_parts(daemon: Daemon, host: str) -> None:
    body = json.dumps(metric()).encode()
    is_done(daemon.request("PUT", f"/{host}/metrics", content=iter([body[:9], body[9:20], body[20:]])))


def test_m40_keys_may_be_written_in_any_letters(daemon: Daemon, host: str) -> None:
    body = '{"NAME":"up","Value":1,"units":"","TYPE":"int32","Slope":"both","TTL":5}'
    is_done(daemon.put(host, body))
    assert daemon.value(host, "up") == 1


def test_of_two_fields_of_one_name_the_last_counts(daemon: Daemon, host: str) -> None:
    body = '{"name":"a","value":1,"units":"","type":"int32","slope":"both","ttl":60,"NAME":"b","value":2,"Name":null}'
    is_done(daemon.put(host, body))
    assert daemon.value(host, "b") == 2


def test_bytes_and_escapes_that_are_no_text_are_replaced(daemon: Daemon, host: str) -> None:
    body = rb'{"name":"a\ud800","value":"' + b"\xff" + rb'","units":"","type":"string","slope":"both","ttl":60}'
    is_done(daemon.put(host, body))
    assert daemon.value(host, "a\ufffd") == "\ufffd"


def test_m41_an_unknown_device_is_told_so(daemon: Daemon) -> None:
    answer = daemon.put("999", metric())
    is_refused(answer, 404, "Host Not Found", "Unknown host: 999")
    assert answer.text == '{"errors":[{"title":"Host Not Found","detail":"Unknown host: 999"}],"status":404}\n'
    assert answer.headers["content-type"] == JSON


def test_m42_an_invalid_body_is_told_before_an_unknown_device(daemon: Daemon) -> None:
    is_unparsable(daemon.put("999", "hello"))
    is_invalid(daemon.put("999", metric(ttl=0)), required("ttl"))


def test_m43_a_device_is_not_addressed_by_its_name(daemon: Daemon, person: Api) -> None:
    new_host(person, name="web01")
    is_refused(daemon.put("web01", metric()), 404, "Host Not Found", "Unknown host: web01")


def test_m44_a_device_is_called_exactly_so(daemon: Daemon, host: str) -> None:
    for other in (f"0{host}", f"{host}%20", f"+{host}", "%31", "a%00b", "a" * 3000):
        assert daemon.put(other, metric()).status_code == 404, other


def test_m45_a_path_is_cleaned_and_a_query_ignored(daemon: Daemon, host: str) -> None:
    number = json.dumps(metric())
    for path in (
        f"//{host}//metrics",
        f"/{host}/metrics/",
        f"/{host}/metrics?a=b",
        f"/%{ord(host[0]):x}{host[1:]}/metrics",
    ):
        is_done(daemon.request("PUT", path, content=number))


def test_m46_a_name_may_have_dots(daemon: Daemon, host: str) -> None:
    daemon.report(host, name="ct.user.cpu")
    assert daemon.value(host, "ct.user.cpu") == 12


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("a b", "a%20b"),
        ("../x", "..%2Fx"),
        ("..", "%2E%2E"),
        ("a/b", "a%2Fb"),
        ("é%", "%C3%A9%25"),
        ("x" * 300, "x" * 300),
        ("current", "current"),
        ("historic", "historic"),
        ("last", "last"),
        ("<b>", "%3Cb%3E"),
    ],
)
def test_m47_to_m49_any_name_is_a_name(daemon: Daemon, host: str, name: str, path: str) -> None:
    daemon.report(host, name=name)
    assert {"id": host, "value": 12} in daemon.ok(f"/metrics/{path}/current")
    assert len(daemon.ok(f"/devices/{host}/metrics/{path}/historic/last/hour")) == 241


def test_a_device_without_another_name_is_addressed_by_its_id(daemon: Daemon, person: Api) -> None:
    id, name = new_unnamed_host(person), new_name()
    daemon.report(id, name=name)
    assert daemon.ok(f"/metrics/{name}/current") == [{"id": id, "value": 12}]
    assert daemon.value(id.upper(), name) == 12
    is_refused(daemon.put(U0, metric()), 404, "Host Not Found", f"Unknown host: {U0}")


def test_a_device_with_another_name_is_addressed_by_both_and_shown_with_that(daemon: Daemon, person: Api) -> None:
    id, name, called = new_unnamed_host(person), new_name(), new_name("host")
    daemon.report(id, name=name)
    assert put(person, f"/devices/{id}", {"external_id": called}).status_code == 200
    daemon.report(called, name=name, value=13)
    assert daemon.value(id, name) == 13
    assert daemon.ok(f"/metrics/{name}/current") == [{"id": called, "value": 13}]


def test_a_removed_device_is_unknown_everywhere(daemon: Daemon, person: Api) -> None:
    id, name = new_unnamed_host(person), new_name()
    daemon.report(id, name=name)
    assert delete(person, f"/devices/{id}").status_code == 200
    is_refused(daemon.put(id, metric()), 404, "Host Not Found", f"Unknown host: {id}")
    is_not_found(daemon.get(f"/devices/{id}/metrics/current"), "Host")
    is_not_found(daemon.get(f"/devices/{id}/metrics/historic"), "Host")
    is_not_found(daemon.get(f"/metrics/{name}/current"), "Metric")
    assert daemon.ok(f"/metrics/{name}/historic/last/hour") == []
