"""Clients after a restart of everything (contract connectors 2.5)."""

from pathlib import Path

from tests.conformance.connectors.client import App, hrefs
from tests.product import Product
from tests.waiting import eventually


def test_C58_after_a_restart_every_client_goes_on_with_the_same_things(tmp_path: Path) -> None:
    with Product(tmp_path) as product:
        app = App(product)
        app.instance(tick_ms=100)
        id, thing = app.started("s1", "simulator", things=2)
        before = app.shown(id)
        product.stop()
        product.start()
        app = App(product, name=app.name)  # it may have other ports now
        after = app.becomes(id, "STARTED", things=2)
        assert after["mappings"] == before["mappings"]
        seen = app.property(thing, "lamp", "level")["lastUpdate"]
        eventually(lambda: app.property(thing, "lamp", "level")["lastUpdate"] > seen, seconds=30)
        assert app.becomes(id, "STARTED")["mappings"] == before["mappings"]
        assert len(hrefs(app.get("/things", "s1"))) == 2
        assert app.delete(f"/connectors/clients/{id}", "s1").status_code == 204
