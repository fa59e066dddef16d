"""Cases 2A, life cycle and current values. There is no processing run here: a value is visible at once, until reported
and ttl are over (issue 5), and so nobody is told to wait with a 503."""

from typing import Any

import pytest

from tests.conformance.lambda_iot.client import Api
from tests.conformance.metric_reporting.client import Daemon, is_not_found, new_host, new_name
from tests.waiting import eventually


def listed(daemon: Daemon, name: str, path: str = "/metrics/current") -> dict[str, Any]:
    """The metric as it is listed over all devices; it must be there once."""
    [found] = [one for one in daemon.ok(path) if one["name"] == name]
    assert isinstance(found, dict)
    return found


def test_m72_a_value_is_visible_at_once(daemon: Daemon, host: str) -> None:
    for value in range(20):
        daemon.report(host, value=value)
        assert daemon.value(host, "my-metric") == value


def test_m73_to_m76_one_metric_of_two_devices(mount: Daemon, person: Api) -> None:
    one, two, name = new_host(person), new_host(person), new_name("level")
    mount.report(two, name=name, value=24, type="int32", units="")
    mount.report(one, name=name, value=13, type="int32", units="")
    expected = {"id": name, "max": 24, "min": 13, "name": name, "nature": "volatile", "units": ""}
    assert listed(mount, name) == listed(mount, name, "/metrics/unique") == expected
    assert list(listed(mount, name)) == list(expected)
    values = [{"id": one, "value": 13}, {"id": two, "value": 24}]
    assert mount.ok(f"/metrics/{name}/current") == mount.ok(f"/metrics/{name}/values") == values


def test_devices_are_listed_as_numbers_first(daemon: Daemon, person: Api) -> None:
    prefix = new_name("")[1:]
    ids = [prefix, f"{prefix}0", f"{prefix}-a", f"a{prefix}", f"9{prefix}"]
    name = new_name()
    for id in ids:
        new_host(person, external_id=id)
        daemon.report(id, name=name)
    expected = [*sorted([prefix, f"9{prefix}", f"{prefix}0"], key=int), f"{prefix}-a", f"a{prefix}"]
    assert [one["id"] for one in daemon.ok(f"/metrics/{name}/current")] == expected
    assert [one["id"] for one in daemon.ok(f"/metrics/{name}/historic/last/hour")] == expected


def test_m77_names_are_compared_exactly(daemon: Daemon, host: str) -> None:
    name = new_name("level")
    daemon.report(host, name=name)
    is_not_found(daemon.get(f"/metrics/{name.upper()}/current"), "Metric")


def test_m78_a_text_has_neither_least_nor_most(daemon: Daemon, host: str) -> None:
    name = new_name("more")
    daemon.report(host, name=name, type="string", value="yes", slope="zero")
    found = listed(daemon, name)
    assert (found["nature"], found["min"], found["max"]) == ("string_and_time", None, None)


def test_m79_a_slope_of_zero_is_constant(daemon: Daemon, host: str) -> None:
    name = new_name("capacity")
    daemon.report(host, name=name, type="int32", value=10, slope="zero")
    assert listed(daemon, name)["nature"] == "constant"


def test_m80_the_newest_value_counts(daemon: Daemon, host: str) -> None:
    daemon.report(host, value=12)
    daemon.report(host, value=13)
    assert daemon.value(host, "my-metric") == 13


def test_m81_and_m82_an_expired_value_is_in_no_list(daemon: Daemon, host: str) -> None:
    name = new_name()
    daemon.report(host, name=name, ttl=1)
    eventually(lambda: daemon.ok(f"/devices/{host}/metrics/current") == [])
    is_not_found(daemon.get(f"/metrics/{name}/current"), "Metric")
    assert name not in [one["name"] for one in daemon.ok("/metrics/current")]
    daemon.report(host, name=name, ttl=60)
    assert daemon.value(host, name) == 12


def test_m83_a_device_that_never_reported(daemon: Daemon, host: str) -> None:
    is_not_found(daemon.get(f"/devices/{host}/metrics/current"), "Host")
    is_not_found(daemon.get("/devices/999/metrics/current"), "Host")


def test_m84_a_metric_may_become_another(daemon: Daemon, host: str) -> None:
    daemon.report(host, value="warm", type="string", units="")
    daemon.report(host, value=21.5, type="double", units="°C", slope="zero")
    assert daemon.ok(f"/devices/{host}/metrics/current") == [
        {"id": "my-metric", "name": "my-metric", "nature": "constant", "units": "°C", "value": 21.5}
    ]


def test_m85_markup_is_written_so_that_no_page_takes_it_for_its_own(daemon: Daemon, host: str) -> None:
    daemon.report(host, value='<b>&"é', type="string")
    assert daemon.value(host, "my-metric") == '<b>&"é'
    assert r'"\u003cb\u003e\u0026\"é"' in daemon.get(f"/devices/{host}/metrics/current").text


def test_metrics_of_a_device_are_sorted_by_name(daemon: Daemon, host: str) -> None:
    for name in ("b", "a", "Z", "é"):
        daemon.report(host, name=name)
    assert [one["name"] for one in daemon.ok(f"/devices/{host}/metrics/current")] == ["Z", "a", "b", "é"]


@pytest.mark.parametrize("ttl", [1, 2**31, 2**63 - 1])
def test_a_value_may_live_as_long_as_it_likes(daemon: Daemon, host: str, ttl: int) -> None:
    daemon.report(host, ttl=ttl)
    answer = daemon.get(f"/devices/{host}/metrics/current")
    assert answer.status_code == 200
    assert int(answer.headers["tidemark-position"]) > 0
    assert "tidemark-stale" not in answer.headers
