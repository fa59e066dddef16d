"""`GET /mrd/metrics/federate`: current values in Prometheus' text form, read with Prometheus' own parser."""

from itertools import groupby
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from tests.conformance.metric_agents.agent import Agent, now, report, series


def told(
    agent: Agent, device: str, path: str = "/mrd/metrics/federate"
) -> dict[str, list[tuple[dict[str, Any], float]]]:
    """What is said of the device: by family labels, without the device, and value."""
    answer = agent.api.get("/mrd/metrics/federate")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    found: dict[str, list[tuple[dict[str, Any], float]]] = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            if sample.labels["device"] == device:
                labels = {name: text for name, text in sample.labels.items() if name != "device"}
                found.setdefault(sample.name, []).append((labels, sample.value))
    return found


def test_current_values_are_samples_of_their_devices(agent: Agent) -> None:
    device = agent.device()
    many = [
        report(device, name="load", value=0.1, units="%"),
        report(device, name="ct.user.cpu", type="int8", value=-7),
        report(device, name='odd "näme"\n', value=1e300),
        report(device, name="more", type="string", value='a "text"\\\n'),
    ]
    assert agent.metrics.put("/metrics", json=many).status_code == 200
    assert told(agent, device) == {
        "load": [({"units": "%"}, 0.1)],
        "ct_user_cpu": [({"metric": "ct.user.cpu"}, -7)],
        "odd__n_me__": [({"metric": 'odd "näme"\n'}, 1e300)],
        "more": [({"value": 'a "text"\\\n'}, 1)],
    }


def test_labels_of_remote_write_are_labels_again(agent: Agent) -> None:
    device = agent.device()
    agent.write(
        series({"__name__": "node_disk_io", "device": "sda", "instance": device}, (2, now())),
        series({"__name__": "node_cpu_total", "mode": 'i"dle', "cpu": "0", "instance": device}, (3, now())),
    )
    assert told(agent, device) == {
        "node_disk_io": [({"exported_device": "sda"}, 2)],
        "node_cpu_total": [({"cpu": "0", "mode": 'i"dle'}, 3)],
    }


def test_a_family_stands_together(agent: Agent) -> None:
    device = agent.device()
    names = [f"to{sign}gether" for sign in "._-_/:"]
    agent.metrics.put("/metrics", json=[report(device, name=name) for name in names])
    # Names that others reported may hold what Python takes for the end of a line.
    lines = agent.api.get("/mrd/metrics/federate").text.removesuffix("\n").split("\n")
    families = [line.partition("{")[0] for line in lines]
    assert len([family for family, _ in groupby(families)]) == len(set(families))


def test_it_stands_on_the_listener_of_metrics_too(agent: Agent) -> None:
    device = agent.device()
    agent.metrics.put("/metrics", json=[report(device)])
    assert f'load{{device="{device}"}} 1.5\n' in agent.metrics.get("/metrics/federate").text
