"""Reports of many devices in one request, a result for each (beyond the contract)."""

from collections import Counter
from collections.abc import Mapping, Sequence
from uuid import UUID

import msgspec

from entrypoints.exchange import Answer
from entrypoints.metric_reporting.bodies.encoded import UnreadableError, plain
from entrypoints.metric_reporting.bodies.many import NDJSON, Item, Items, Sent, items_in
from entrypoints.metric_reporting.door import Door
from entrypoints.metric_reporting.errors import refusal_of, unknown_host, unparsable
from entrypoints.metric_reporting.exchange import MetricExchange
from entrypoints.metric_reporting.recording import (
    BODY_SECONDS,
    LARGEST_BODY,
    aside,
    find_devices,
    grouped,
    record,
)
from entrypoints.metric_reporting.views import JSON

_encode_lines = msgspec.json.Encoder().encode_lines

_DONE = msgspec.Raw(b'{"status":200}')


async def report_many(door: Door, exchange: MetricExchange) -> Answer:
    """200 with a result for every report, in their order and form: `{"status":200}`, or the body that a single report
    would have been answered with. What is taken of the request is one command, on disk before the answer."""
    body = await exchange.body(LARGEST_BODY, BODY_SECONDS)
    items = await aside(len(body), _read, body, exchange.header(b"content-encoding"), exchange.header(b"content-type"))
    called = dict.fromkeys([item.device for item in items.items if isinstance(item, Sent)])
    devices = await find_devices(door, [(device,) for device in called])
    sent = [
        (devices[item.device], item.report) for item in items.items if isinstance(item, Sent) and item.device in devices
    ]
    recorded = await record(door, exchange, grouped(sent))
    known = {device: id for device, id in devices.items() if id in recorded.devices}
    answer = await aside(len(body), _answer, items, known)
    _observe(door, items.items, known)
    return answer._replace(headers=((b"tidemark-position", str(recorded.position).encode()),))


def _read(body: bytes, encoding: str | None, content_type: str | None) -> Items:
    try:
        return items_in(plain(body, encoding, LARGEST_BODY), content_type or "")
    except UnreadableError as wrong:
        raise unparsable(str(wrong)) from None


def _answer(items: Items, known: Mapping[str, UUID]) -> Answer:
    results = [_result(item, known) for item in items.items]
    if items.form == "lines":
        return Answer(_encode_lines(results), type=NDJSON.encode())
    return Answer(msgspec.json.encode({"results": results, "status": 200}) + b"\n", type=JSON)


def _result(item: Item, known: Mapping[str, UUID]) -> msgspec.Raw:
    if isinstance(item, Sent):
        if item.device in known:
            return _DONE
        refusal = unknown_host(item.device).answer
    else:
        refusal = refusal_of(item)  # type: ignore[assignment]  # there is one for every refusal
    return msgspec.Raw(refusal.body.rstrip())


def _observe(door: Door, items: Sequence[Item], known: Mapping[str, UUID]) -> None:
    outcomes = Counter(
        ("recorded" if item.device in known else "unknown_device") if isinstance(item, Sent) else "invalid"
        for item in items
    )
    for outcome, count in outcomes.items():
        door.observer.reported("bulk", outcome, count)
