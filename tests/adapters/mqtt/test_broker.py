"""The address of a broker, and how often to knock."""

from itertools import islice

import pytest

from adapters.mqtt.backoff import delays
from adapters.mqtt.broker import Broker, InvalidBrokerUrlError
from adapters.mqtt.gateway import GatewaySettings


def test_a_url_names_user_password_host_and_port() -> None:
    broker = Broker.of_url("mqtts://user:s%40cret@broker.example:8884")
    assert broker == Broker("broker.example", 8884, "user", "s@cret", tls=True)
    assert Broker.of_url("mqtt://h") == Broker("h", 1883)
    assert Broker.of_url("mqtts://h").port == 8883


def test_a_password_is_in_no_text_of_the_settings() -> None:
    settings = GatewaySettings(broker=Broker.of_url("mqtt://user:s%40cret@broker"))
    for text in (repr(settings), str(settings), str(settings.broker)):
        assert "cret" not in text


@pytest.mark.parametrize("url", ["http://h", "mqtt://", "h:1883", "mqtt://u:secret@h:port", "mqtt://[secret"])
def test_what_is_no_mqtt_url_is_refused_without_being_quoted(url: str) -> None:
    with pytest.raises(InvalidBrokerUrlError) as refused:
        Broker.of_url(url)
    assert "secret" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_attempts_grow_apart_up_to_a_limit_and_never_end() -> None:
    first, *_, last = waits = list(islice(delays(first=0.1, longest=5.0), 200))
    assert 0.05 <= first <= 0.1
    assert 2.5 <= last <= 5.0
    assert len(set(waits[10:])) > 100  # no two clients in step
