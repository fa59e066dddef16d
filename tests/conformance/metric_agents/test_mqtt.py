"""`{topic}/<device_id>/metrics`: what devices report on MQTT is current like everything else."""

import pytest

from tests.conformance.metric_agents.agent import Agent, report
from tests.fleet import TOPIC, MqttDevice
from tests.product import Product
from tests.waiting import eventually


@pytest.mark.parametrize("many", [False, True])
def test_what_a_device_reports_over_mqtt_is_current(product: Product, agent: Agent, many: bool) -> None:
    with MqttDevice(product.urls["mqtt"]) as device:
        device.announce()
        body = {key: value for key, value in report("").items() if key != "device"}
        payload = [body, {**body, "name": "heat", "value": 7}] if many else body
        device.publish(f"{TOPIC}/{device.id}/metrics", payload)
        expected = {"load": 1.5, "heat": 7} if many else {"load": 1.5}
        eventually(lambda: agent.current(str(device.id)) == expected)
