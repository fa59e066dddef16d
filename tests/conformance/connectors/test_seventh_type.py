"""A further connector type is one file and one line: those of docs/how-to/add-a-connector-type.md, in a copy of the
code that the product is then started from."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.connectors.client import App
from tests.product import ROOT, Product
from tests.waiting import eventually

PACKAGES = ("domain", "application", "adapters", "projections", "entrypoints", "migrations")
HOW_TO = ROOT / "docs" / "how-to" / "add-a-connector-type.md"
TYPES = Path("adapters", "connector_types")


@pytest.fixture
def extended(tmp_path: Path) -> Iterator[Product]:
    root = tmp_path / "code"
    for package in PACKAGES:
        shutil.copytree(ROOT / package, root / package, ignore=shutil.ignore_patterns("__pycache__"))
    file, line = re.findall(r"```python\n(.*?)```", HOW_TO.read_text(), re.DOTALL)
    (root / TYPES / "counter.py").write_text(file)
    registry = root / TYPES / "__init__.py"
    known = registry.read_text()
    tuple_of_types = re.search(r"^BUILT_IN.*?= (\(.*?\))$", known, re.DOTALL | re.MULTILINE)
    assert tuple_of_types is not None
    longer = known.replace(tuple_of_types[1], line.partition("= ")[2].strip())
    imported = "from adapters.connector_types.counter import Counter\n"
    registry.write_text(longer.replace("from adapters.connector_types", f"{imported}from adapters.connector_types", 1))
    with Product(tmp_path / "product", root=root) as product:
        yield product
    shutil.rmtree(tmp_path, ignore_errors=True)


def test_a_seventh_type_is_one_file_and_one_line(extended: Product) -> None:
    app = App(extended)
    assert app.get("/connectors/descriptions/counter").json()["id"] == 90
    assert len(app.get("/connectors/descriptions").json()) == 6
    app.instance("counter", step=5)
    client, thing = app.started("s1", "counter", seconds=0.05)
    eventually(lambda: int(app.property(thing, "counter", "count")["value"]) >= 15)
    assert app.client.get(f"{extended.api}/devices/{thing}").json()["name"] == "Counter"
    assert app.delete(f"/connectors/clients/{client}", "s1").status_code == 204
