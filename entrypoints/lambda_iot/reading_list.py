"""What `GET /sensor-readings` is asked for: a page, the newest of each sensor, or sums over stretches of time.

`sensor_id`, `limit` and `page` are the contract's (1.3); the others are ours. What makes no sense together is refused.
"""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from struct import Struct
from typing import cast

from application.parsing import parse_rfc3339
from domain.value import Value
from entrypoints.lambda_iot import fields
from entrypoints.lambda_iot.errors import BadRequestError
from projections.devices.reading_queries import AGGREGATES, Aggregate, Order, Place, Range

Query = Mapping[str, str]


class PageAsked(Value):
    within: Range
    order: Order
    limit: int
    page: int
    after: Place | None


class LatestAsked(Value):
    """`limit` is None for all sensors."""

    within: Range
    order: Order
    limit: int | None


class BucketsAsked(Value):
    within: Range
    order: Order
    limit: int
    width: timedelta
    aggregates: tuple[Aggregate, ...]


def readings_asked(query: Query) -> PageAsked | LatestAsked | BucketsAsked:
    """Raises BadRequestError."""
    sensor_id = fields.query_uuid(query, "sensor_id", "sensor")
    limit, page = fields.query_limit(query), fields.query_page(query)
    within = Range(sensor_id, _time(query, "from"), _time(query, "to"))
    if _latest(query):
        _alone("latest", query, "bucket", "agg", "from", "to", "cursor", "page")
        return LatestAsked(within=within, order=_order(query, "desc"), limit=limit if "limit" in query else None)
    width = _width(query)
    if width is not None:
        _alone("bucket", query, "cursor", "page")
        if sensor_id is None:
            raise BadRequestError("sensor_id is required")
        return BucketsAsked(
            within=within,
            order=_order(query, "asc"),
            limit=fields.query_limit(query, absent=fields.MAX_LIMIT),
            width=width,
            aggregates=_aggregates(query),
        )
    if "agg" in query:
        raise BadRequestError("bucket is required")
    return PageAsked(within=within, order=_order(query, "desc"), limit=limit, page=page, after=_after(query))


def cursor_after(place: Place) -> str:
    """Says where a page ended, to whoever asks for the next one."""
    since = (place.value_at - _EPOCH) // timedelta(microseconds=1)
    return urlsafe_b64encode(_PLACE.pack(since, place.id)).rstrip(b"=").decode()


def _after(query: Query) -> Place | None:
    cursor = query.get("cursor")
    if cursor is None:
        return None
    if "page" in query or not _CURSOR.fullmatch(cursor):
        raise BadRequestError("invalid cursor")
    since, id = _PLACE.unpack(urlsafe_b64decode(cursor + "=="))
    try:
        return Place(_EPOCH + timedelta(microseconds=since), id)
    except OverflowError:
        raise BadRequestError("invalid cursor") from None


def _time(query: Query, name: str) -> datetime | None:
    text = query.get(name)
    if text is None:
        return None
    time = parse_rfc3339(text)
    if time is None:
        raise BadRequestError(f"invalid {name}")
    return time


def _order(query: Query, absent: Order) -> Order:
    order = query.get("order", absent)
    if order not in ("asc", "desc"):
        raise BadRequestError("invalid order")
    return cast("Order", order)


def _latest(query: Query) -> bool:
    latest = query.get("latest", "false")
    if latest not in ("true", "false"):
        raise BadRequestError("invalid latest")
    return latest == "true"


def _width(query: Query) -> timedelta | None:
    text = query.get("bucket")
    if text is None:
        return None
    parts = _BUCKET.fullmatch(text)
    width = timedelta(seconds=int(parts[1]) * _SECONDS[parts[2]]) if parts else None
    if width is None or width > _WIDEST:
        raise BadRequestError("invalid bucket")
    return width


def _aggregates(query: Query) -> tuple[Aggregate, ...]:
    names = query.get("agg", "avg").split(",")
    if len(set(names)) != len(names) or not set(names) <= set(AGGREGATES):
        raise BadRequestError("invalid agg")
    return tuple(cast("list[Aggregate]", names))


def _alone(name: str, query: Query, *others: str) -> None:
    for other in others:
        if other in query:
            raise BadRequestError(f"{name} cannot be combined with {other}")


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PLACE = Struct(">qq")
_CURSOR = re.compile(r"[A-Za-z0-9_-]{22}", re.ASCII)
_BUCKET = re.compile(r"([1-9][0-9]{0,8})([smhd])", re.ASCII)
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
# A century: wider ones would begin before the first year there is.
_WIDEST = timedelta(days=36_600)
