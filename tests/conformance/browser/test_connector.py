"""The connector from a browser, on pages of another loopback origin."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.conformance.browser.chromium import FOUND, Page, chromium
from tests.conformance.browser.pages import serving
from tests.product import Product
from tests.waiting import eventually

pytestmark = [
    pytest.mark.skipif(
        FOUND is None, reason="there is no Chromium on this machine: `make browser` installs it on Debian"
    ),
    pytest.mark.xdist_group("browser"),
]

PAGE = (Path(__file__).parent / "connector.html").read_text()

# The client of the customer's document, as printed there.
DOCUMENTED_CLIENT = """
const evtSource = new EventSource('http://localhost:9090/cloud-connector/status/stream');

evtSource.onerror = function(error) {
  console.error("EventSource failed:", error);
};

evtSource.addEventListener("system_status", function(e) {
  const data = JSON.parse(e.data);

  if (data.metric) {
    console.error(`Metric ${data.metric} changed to ${data.value}.`);
  }
})

evtSource.onopen = function() {
  console.log("Connection to server opened.");
};
"""


# The device was given the whole body, as devices of the original connector expect it.
ANSWERED = r'200 {"response":"R:{\"payload\":\"on\"}","errors":""}'


@contextmanager
def device(connector: str) -> Iterator[str]:
    """A connected device that answers everything at once; yields its id."""
    id = f"dev-{uuid4().hex[:12]}"
    url = connector.replace("http://", "ws://") + "/connect"

    def answer() -> None:
        try:
            for message in connection:
                asked = json.loads(message)
                connection.send(json.dumps({"id": asked["id"], "payload": "R:" + asked["payload"]}))
        except ConnectionClosed:
            return

    with connect(url, additional_headers={"Device-Id": id}) as connection:
        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield id
    thread.join()


@pytest.mark.parametrize("mount", ["port", "prefix"])
def test_ui06_ui07_ui08_a_page_follows_the_stream_and_asks_a_device(
    product: Product, tmp_path: Path, mount: str
) -> None:
    connector = product.urls["connector"] if mount == "port" else f"{product.api}/connector"
    with device(connector) as id, serving({"/": PAGE}) as origin, chromium(tmp_path) as page:
        page.go(f"{origin}/?url={connector}&device={id}")
        eventually(lambda: page.evaluate("window.opened") == 1, seconds=30)
        assert page.evaluate("document.querySelectorAll('#status tr').length") == 13
        assert id in page.evaluate("[...document.querySelectorAll('#devices li')].map((item) => item.textContent)")
        eventually(lambda: len(page.evaluate("window.changes")) > 2, seconds=30)
        assert {metric for metric, _ in page.evaluate("window.changes")} <= set(_metrics(page))
        page.evaluate("document.getElementById('command').click()")
        eventually(lambda: _answers(page) == [ANSWERED], seconds=30)
        page.evaluate("document.getElementById('query').click()")
        eventually(lambda: _answers(page) == [ANSWERED] * 2, seconds=30)
        assert page.complaints == []


def test_the_documented_client_works_as_printed(product: Product, tmp_path: Path) -> None:
    """It names localhost:9090, where the browser is led to the product under test."""
    connector = urlsplit(product.urls["connector"]).netloc
    here = f"--host-resolver-rules=MAP localhost:9090 {connector}"
    document = f"<!doctype html><script>{DOCUMENTED_CLIENT}</script>"
    with serving({"/": document}) as origin, chromium(tmp_path, [here]) as page:
        page.go(origin)
        eventually(lambda: _told(page), seconds=30)
        assert all(re.fullmatch(r"Metric \w+ changed to \S+\.", complaint) for complaint in page.complaints)


def _told(page: Page) -> bool:
    page.evaluate("0")  # what the page logged comes before the answer
    return len(page.complaints) >= 3


def _metrics(page: Page) -> list[str]:
    return [
        str(metric)
        for metric in page.evaluate(
            "[...document.querySelectorAll('#status tr td:first-child')].map((cell) => cell.textContent)"
        )
    ]


def _answers(page: Page) -> list[str]:
    return [line for line in str(page.evaluate("document.getElementById('answers').textContent")).splitlines() if line]
