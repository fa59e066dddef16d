"""The OpenAPI document says what the running product does: schemathesis reads the one and asks the other.

A fixed small number of requests for every operation, always the same ones, valid and broken: no status, header, content
type or shape that is not documented, no 5xx, valid data taken, broken data refused.
"""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import pytest
import schemathesis
from jsonschema_rs import Draft202012Validator
from schemathesis.checks import CheckFunction
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import ignored_auth

from entrypoints.lambda_iot.openapi.document import document
from entrypoints.lambda_iot.routes import LOCKABLE, PROTECTED, PUBLIC
from tests.conformance.lambda_iot.client import Account, Api
from tests.fleet import MqttDevice
from tests.product import Product
from tests.waiting import eventually

Case = Any  # schemathesis names the class in a module that it calls private

pytestmark = pytest.mark.timeout(300)

# Asked by nobody here, each with its reason.
NOT_ASKED = {
    ("GET", "/sensor-readings/stream"): "never ends; test_reading_stream.py reads it",
}
EXAMPLES = 40
EXAMPLES_WITHOUT_TOKEN = 5


def schema_with(examples: int) -> Any:
    config = SchemathesisConfig.from_dict(
        {
            "seed": 1,
            "generation": {
                "max-examples": examples,
                "deterministic": True,
                "database": "none",
                # Neither JSON Schema nor the document says that texts hold no NUL and that unknown parameters are
                # passed over; tokens that are none have tests of their own.
                "allow-x00": False,
                "allow-extra-parameters": False,
                "with-security-parameters": False,
            },
        }
    )
    schema: Any = schemathesis.openapi.from_dict(document(), config=config)
    for method, path in NOT_ASKED:
        schema = schema.exclude(method=method, path=path)
    return schema


with_token, without_token = schema_with(EXAMPLES), schema_with(EXAMPLES_WITHOUT_TOKEN)


class Stock(NamedTuple):
    """What valid requests speak of, because made-up ids are nobody's."""

    account: Account
    device: UUID
    sensor: UUID
    actor: UUID
    reading: int


@pytest.fixture(scope="module")
def stock(product: Product, anybody: Api) -> Iterator[Stock]:
    account = anybody.register()
    with MqttDevice(product.urls["mqtt"]) as device:
        device.announce()
        api = Api(anybody.client)
        sensor, actor = device.sensor(), device.actor()

        def is_there() -> bool:
            return api.get(f"/sensors/{sensor}", headers=account.headers).status_code == 200

        eventually(is_there)
        body = {"sensor_id": str(sensor), "value": 1}
        reading = api.post("/sensor-readings", body, headers=account.headers).json()["id"]
        yield Stock(account, device.id, sensor, actor, reading)


@with_token.parametrize()
def test_every_answer_is_documented(case: Case, product: Product, stock: Stock) -> None:
    excluded: list[CheckFunction] = [ignored_auth]  # the test below
    speak_of(case, stock)
    case.call_and_validate(base_url=product.api, headers=stock.account.headers, excluded_checks=excluded, timeout=30)


@without_token.include(lambda context: needs_token(context.operation)).parametrize()
def test_AU32_without_a_token_every_protected_operation_answers_401(case: Case, product: Product) -> None:
    response = case.call_and_validate(base_url=product.api, timeout=30)
    if response.request.method == case.operation.method.upper():
        assert response.status_code in (401, 404), "404: the path is another one, with an empty or a longer id"


def test_the_document_is_served_to_everybody(anybody: Api) -> None:
    served = anybody.ok("/openapi.json")
    assert served == document()
    assert served["openapi"] == "3.1.0"


def test_every_schema_of_the_document_is_one() -> None:
    shown = document()
    for schema in _schemas(shown):
        Draft202012Validator({**schema, "components": shown["components"]})


def test_no_route_is_undocumented_and_no_documented_route_is_missing() -> None:
    documented = {(method.upper(), path) for path, methods in document()["paths"].items() for method in methods}
    assert real_routes() == documented


def real_routes() -> set[tuple[str, str]]:
    """What the application answers to, in the document's spelling."""
    return {
        (str(method), route.path_format)
        for router in (PUBLIC, LOCKABLE, PROTECTED)
        for route in router.routes
        for method in route.methods
        if method != "OPTIONS"
    }


@schemathesis.serializer("application/x-ndjson")
def ndjson(_: Any, value: Any) -> bytes:
    """Lines that are whatever comes: what is wrong with one is told in its result."""
    return value.encode("utf-8", "surrogatepass") if isinstance(value, str) else json.dumps(value).encode()


def needs_token(operation: Any) -> bool:
    return bool(operation.definition.raw["security"] == [{"bearer": []}])


def speak_of(case: Case, stock: Stock) -> None:
    """Puts what there is into a valid request, where it names something at random."""
    if not case.meta.generation.mode.is_positive or case.method == "DELETE":
        return
    ids = {"devices": stock.device, "sensors": stock.sensor, "actors": stock.actor, "sensor-readings": stock.reading}
    if "id" in (case.path_parameters or {}):
        case.path_parameters["id"] = str(ids[case.operation.path.split("/")[1]])
    if case.query:
        case.query = sensible(dict(case.query))
    if isinstance(case.body, dict):
        # Unlike JSON Schema we tell 1.0 from 1, and unlike us it does not know which texts are printable and unique.
        known = {"device_id": str(stock.device), "sensor_id": str(stock.sensor), "external_id": uuid4().hex}
        whole = {
            name: int(case.body[name]) for name in ("status_id", "data_type_id") if case.body.get(name) is not None
        }
        case.body = {**case.body, **{name: known[name] for name in known.keys() & case.body.keys()}, **whole}


def sensible(query: dict[str, Any]) -> dict[str, Any]:
    """Without what cannot be combined, which the document can say in words only."""
    query.pop("cursor", None)  # looks like one, and was never handed out
    query.pop("as_of", None)  # which moments there are is not in the document; test_as_of.py asks for them
    if "bucket" in query:
        query["bucket"] = f"1{query['bucket'][-1]}"  # never more than a century
    if "agg" in query:
        query["agg"] = ",".join(dict.fromkeys(query["agg"].split(",")))  # each once
    if str(query.get("latest")).lower() == "true":
        left_out = {"bucket", "agg", "from", "to", "page"}
    elif {"bucket", "sensor_id"} <= query.keys():
        left_out = {"page"}
    else:
        left_out = {"bucket", "agg"}
    return {name: value for name, value in query.items() if name not in left_out}


def _schemas(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "schema":
                yield value
            else:
                yield from _schemas(value)
    elif isinstance(node, list):
        for value in node:
            yield from _schemas(value)
