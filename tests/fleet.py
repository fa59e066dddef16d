"""Devices as they are in the field: paho over MQTT 3.1.1, QoS 1, every publish confirmed by the broker."""

import json
import os
import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit
from uuid import NAMESPACE_DNS, UUID, uuid4, uuid5

from paho.mqtt.client import Client, MQTTMessage, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion

TOPIC = "lambdaiot"
CONFIRM_SECONDS = 20.0


def random_mac() -> str:
    # Locally administered, so that it is nobody's real one.
    return ":".join(f"{byte:02x}" for byte in (0x02, *os.urandom(5)))


class MqttDevice:
    """One device with its connection, a context manager. Ids follow the rule of contract 3.2 from a MAC of its own.

    `will` is set as the presence topic's last will. `heard` collects what arrives on topics it subscribed to.
    """

    def __init__(self, url: str, *, mac: str | None = None, will: str | None = None) -> None:
        self.mac = mac or random_mac()
        self.id = uuid5(NAMESPACE_DNS, self.mac.replace(":", "").replace("-", "").lower())
        self.heard: list[MQTTMessage] = []
        self._url = urlsplit(url)
        self._connected = threading.Event()
        self._subscribed = threading.Event()
        self._client = Client(
            CallbackAPIVersion.VERSION2, client_id=f"test-{uuid4().hex}", clean_session=True, protocol=MQTTv311
        )
        self._client.on_connect = lambda *_: self._connected.set()
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = lambda _, __, message: self.heard.append(message)
        if will is not None:
            self._client.will_set(f"{TOPIC}/{self.id}/status", will, qos=1, retain=True)

    def sensor(self, number: int = 0) -> UUID:
        return uuid5(self.id, f"sensor-{number}")

    def actor(self, number: int = 0) -> UUID:
        return uuid5(self.id, f"actor-{number}")

    def announcement(self, sensors: int = 1, actors: int = 1, **device: Any) -> dict[str, Any]:
        """The documented discovery message with so many sensors and actors."""
        described = {"id": str(self.id), "name": "ESP", "description": "test", "location": "lab", "status_id": 1}
        return {
            "mac_address": self.mac,
            "device": {**described, **device},
            "sensors": [part(self.sensor(number), f"sensor {number}") for number in range(sensors)],
            "actors": [part(self.actor(number), f"actor {number}", "led", 2) for number in range(actors)],
        }

    def announce(self, message: dict[str, Any] | None = None, *, retain: bool = False) -> None:
        self.publish(f"{TOPIC}/discovery", self.announcement() if message is None else message, retain=retain)

    def report(self, *readings: dict[str, Any], topic: str | None = None) -> None:
        """One reading as an object, several as an array."""
        payload: Any = readings[0] if len(readings) == 1 else list(readings)
        self.publish(topic or f"{TOPIC}/{self.id}/readings", payload)

    def say(self, presence: str, *, retain: bool = True) -> None:
        self.publish(f"{TOPIC}/{self.id}/status", presence.encode(), retain=retain)

    def publish(self, topic: str, payload: Any, *, retain: bool = False) -> None:
        """QoS 1; returns after the PUBACK. Bytes are sent as they are, everything else as JSON."""
        raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        sent = self._client.publish(topic, raw, qos=1, retain=retain)
        sent.wait_for_publish(CONFIRM_SECONDS)
        assert sent.is_published(), f"no PUBACK for {topic}"

    def answer_commands(self) -> None:
        """Hears what it is asked (`heard`), and answers at once with `R:` and the payload."""

        def answer(client: Client, _: Any, message: MQTTMessage) -> None:
            self.heard.append(message)
            asked = json.loads(message.payload)
            told = {"id": asked["id"], "payload": f"R:{asked['payload']}"}
            client.publish(f"{TOPIC}/{self.id}/responses", json.dumps(told), qos=1)

        self._client.on_message = answer
        self.subscribe(f"{TOPIC}/{self.id}/commands")

    def subscribe(self, topic: str) -> None:
        self._subscribed.clear()
        self._client.subscribe(topic, qos=1)
        assert self._subscribed.wait(CONFIRM_SECONDS)

    def die(self) -> None:
        """The connection breaks without a DISCONNECT, as when somebody pulls the plug: the broker sends the will."""
        socket = self._client.socket()
        assert socket is not None
        self._client.loop_stop()
        socket.close()

    def __enter__(self) -> Self:
        self._client.connect(self._url.hostname or "127.0.0.1", self._url.port or 1883, keepalive=30)
        self._client.loop_start()
        assert self._connected.wait(CONFIRM_SECONDS), "the broker did not answer"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def part(id: UUID | str, name: str, type: str = "temp", data_type_id: Any = 1) -> dict[str, Any]:
    """A sensor or an actor in a discovery message."""
    return {"id": str(id), "name": name, "type": type, "data_type_id": data_type_id}


def reading(sensor: UUID | str, value: Any, value_at: str | None = None, **more: Any) -> dict[str, Any]:
    message = {"sensor_id": str(sensor), "value": value, **more}
    return message if value_at is None else {**message, "value_at": value_at}


def payloads(messages: Sequence[MQTTMessage]) -> list[Any]:
    return [json.loads(message.payload) for message in messages]
