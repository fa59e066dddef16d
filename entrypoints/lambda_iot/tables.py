"""Lists as JSON or, when the client would rather have that, as CSV (RFC 4180)."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from litestar import Response

from entrypoints.lambda_iot.door import AnyRequest
from entrypoints.lambda_iot.errors import JSON

CSV = "text/csv; charset=utf-8"

_encode = msgspec.json.Encoder().encode


def table(
    request: AnyRequest, columns: Sequence[str], rows: Iterable[Sequence[Any]], headers: dict[str, str]
) -> Response[bytes]:
    """An array of objects with these columns as keys, or the same as lines below a line of their names."""
    headers = {**headers, "Vary": "Accept"}
    if prefers_csv(",".join(request.headers.getall("accept", []))):
        return Response(csv_text(columns, rows), media_type=CSV, headers={**headers, "Content-Type": CSV})
    body = _encode([dict(zip(columns, row, strict=True)) for row in rows])
    return Response(body, media_type=JSON, headers=headers)


def csv_text(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    """Times and numbers are spelled as in JSON."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows(msgspec.to_builtins(tuple(row)) for row in rows)
    return text.getvalue().encode()


def prefers_csv(accept: str) -> bool:
    """Whether `Accept` puts CSV before JSON: by its weight, and between equals by how exactly it is named."""
    ranges = [_range(part) for part in accept.split(",")]
    csv_rank, json_rank = (_rank(ranges, kind) for kind in ("text/csv", "application/json"))
    return csv_rank > json_rank and csv_rank[0] > 0


def _rank(ranges: Sequence[tuple[str, float]], kind: str) -> tuple[float, int]:
    """The weight that the most exact of the ranges gives, and how exact it is."""
    names = ("*/*", f"{kind.partition('/')[0]}/*", kind)
    matching = [(names.index(name), weight) for name, weight in ranges if name in names]
    exactness, weight = max(matching, default=(-1, 0.0))
    return weight, exactness


def _range(part: str) -> tuple[str, float]:
    name, *parameters = (piece.strip().lower() for piece in part.split(";"))
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                weight = float(parameter[2:])
            except ValueError:
                weight = 0.0
            return name, weight if 0 <= weight <= 1 else 0.0
    return name, 1.0
