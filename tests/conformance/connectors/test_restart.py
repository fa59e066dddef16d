"""What becomes of clients when everything is killed and started again (case C58)."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.conformance.connectors.client import App
from tests.product import Product
from tests.waiting import eventually

LONG = 60.0
# As the log tells it: of each thing once, although it was started twice.
LIFE = ["created", "admitted", *["thing_gained"] * 4, "started", "resumed", "started"]


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[Product]:
    """A product of the test's own."""
    product = Product(tmp_path)
    try:
        product.start()
        yield product
    finally:
        product.kill()


def test_C58_a_client_resumes_with_the_same_things(mortal: Product) -> None:
    app = App(mortal)
    app.instance(tick_ms=100, fail="removal")
    client_id = app.new_client("s1", things=3, kind="thermometer")
    before = app.becomes(client_id, "STARTED", things=4)
    mortal.kill()
    mortal.start()
    app = App(mortal, name=app.name)
    eventually(lambda: life_of(mortal, client_id) == LIFE, seconds=LONG)
    assert app.becomes(client_id, "STARTED") == {**before, **places(before, app)}
    assert len(app.get("/things", "s1").json()) == 4
    # Whoever runs it now is reached.
    assert app.delete(f"/connectors/clients/{client_id}", "s1").status_code == 500
    assert app.shown(client_id)["mappings"] == before["mappings"]


def places(shown: dict[str, dict[str, str]], app: App) -> dict[str, dict[str, str]]:
    """The product has other ports than before."""
    base = f"{app.product.api}/api/v1"
    return {key: {"href": base + shown[key]["href"].partition("/api/v1")[2]} for key in ("instance", "connector")}


def life_of(product: Product, client_id: str) -> list[str]:
    query = "SELECT topic FROM events WHERE originator_id = %s ORDER BY originator_version"
    with psycopg.connect(product.urls["postgres"]) as connection:
        return [topic.split(".")[2] for (topic,) in connection.execute(query, (client_id,)).fetchall()]
