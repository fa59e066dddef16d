"""Contract 1.1, 2 and cases 9.1."""

import httpx
import pytest

from tests.conformance.streams.client import Streams, send_raw
from tests.product import Product

TEXT = "text/plain; charset=utf-8"


def port(product: Product, name: str) -> int:
    return int(product.urls[name].rpartition(":")[2])


def test_D1_the_topology_is_one_broker_and_its_ports(streams: Streams, product: Product) -> None:
    answer = streams.discovery.get("/v1/brokers")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.text == (
        f'{{"length":1,"names":["127.0.0.1"],"producerPort":{port(product, "producer")},'
        f'"consumerPort":{port(product, "consumer")}}}\n'
    )
    assert answer.headers["content-length"] == str(len(answer.content))


def test_the_broker_is_called_as_whoever_asks_calls_it(streams: Streams) -> None:
    names = [
        streams.discovery.get("/v1/brokers", headers={"Host": host}).json()["names"][0]
        for host in ("iot.example.com:9250", "[::1]:9250", "x y")
    ]
    assert names == ["iot.example.com", "[::1]", "localhost"]


@pytest.mark.parametrize(
    ("listener", "text"),
    [
        ("discovery", "Client discovery server listening on {}\n"),
        ("producer", "Producer server listening on {}\n"),
        ("consumer", "Consumer server listening on {}\n"),
    ],
)
def test_D5_P17_each_port_says_that_it_is_ready(product: Product, listener: str, text: str) -> None:
    answer = httpx.get(f"{product.urls[listener]}/status", trust_env=False)
    assert (answer.status_code, answer.headers["content-type"]) == (200, TEXT)
    assert answer.text == text.format(port(product, listener))


@pytest.mark.parametrize(
    ("listener", "method", "path", "allowed"),
    [
        ("discovery", "POST", "/v1/brokers", "GET, OPTIONS"),
        ("discovery", "HEAD", "/v1/brokers", "GET, OPTIONS"),
        ("producer", "PUT", "/v1/topic/t/messages", "GET, OPTIONS, POST"),
        ("consumer", "GET", "/v1/consumer/poll", "OPTIONS, POST"),
        ("consumer", "GET", "/v1/consumer/register", "OPTIONS, POST, PUT"),
        ("consumer", "DELETE", "/status", "GET, OPTIONS"),
    ],
)
def test_D7_P16_C29_another_method_is_told_which_ones_there_are(
    product: Product, listener: str, method: str, path: str, allowed: str
) -> None:
    url = f"{product.urls[listener]}{path}"
    answer = httpx.request(method, url, trust_env=False)
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)
    assert answer.headers["content-type"] == TEXT
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.text == ("" if method == "HEAD" else "Method Not Allowed\n")
    options = httpx.options(url, trust_env=False)
    assert (options.status_code, options.headers["allow"], options.content) == (200, allowed, b"")
    assert "access-control-allow-origin" not in options.headers


@pytest.mark.parametrize("listener", ["discovery", "producer", "consumer"])
def test_D8_what_is_not_there_is_not_found(product: Product, listener: str) -> None:
    answer = httpx.get(f"{product.urls[listener]}/nope", trust_env=False)
    assert (answer.status_code, answer.text) == (404, "404 page not found\n")
    assert (answer.headers["content-type"], answer.headers["x-content-type-options"]) == (TEXT, "nosniff")


def test_each_port_has_its_own_paths_only(streams: Streams) -> None:
    assert streams.discovery.post("/v1/topic/t/messages", content=b"1").status_code == 404
    assert streams.producer.get("/v1/brokers").status_code == 404
    assert streams.consumer.get("/v1/brokers").status_code == 404


def test_slashes_too_many_are_redirected(streams: Streams, product: Product) -> None:
    answer = streams.discovery.get("/v1/brokers/?a=b")
    assert (answer.status_code, answer.headers["location"]) == (301, "/v1/brokers?a=b")
    doubled = send_raw(product.urls["discovery"], b"GET //v1//brokers HTTP/1.1\r\nHost: h\r\n\r\n")
    assert doubled is not None
    assert (doubled.status, doubled.headers["location"]) == (301, "/v1/brokers")
    answer = streams.producer.post("/v1/topic/t/messages/?partitionKey=1", content=b"1")
    assert (answer.status_code, answer.headers["location"]) == (307, "/v1/topic/t/messages?partitionKey=1")


def test_a_request_without_a_host_is_refused(product: Product) -> None:
    answer = send_raw(product.urls["discovery"], b"GET /v1/brokers HTTP/1.1\r\n\r\n")
    assert answer is not None
    assert (answer.status, answer.body) == (400, b"400 Bad Request: missing required Host header")


def test_all_of_it_stands_under_streams_on_the_main_port_too(product: Product, streams: Streams) -> None:
    base = f"{product.api}/streams"
    assert httpx.get(f"{base}/status", trust_env=False).status_code == 200
    brokers = httpx.get(f"{base}/v1/brokers", trust_env=False)
    assert brokers.json() == streams.discovery.get("/v1/brokers").json()
    again = httpx.get(f"{base}/v1/brokers/", trust_env=False)
    assert (again.status_code, again.headers["location"]) == (301, "/streams/v1/brokers")
