"""The last value of each metric of each device, with those before it: a row that is written over with every report.

The newest values of a metric lie in its row, each with the position of its event and the time. When there are more than
a page of them, and when anything else that a report says becomes another, they move to a page of their own and stay
there. Where one page ends and the next begins follows from the log alone.
"""

from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from projections.database import METADATA

# Values in a page.
PAGE = 16


def _said_columns() -> list[sa.Column[Any]]:
    """`since` orders devices by when they first reported the metric."""
    return [
        sa.Column("since", sa.BigInteger, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("slope", sa.Text, nullable=False),
        sa.Column("units", sa.Text, nullable=False),
    ]


def _page_columns() -> list[sa.Column[Any]]:
    """`lasts` is seconds; `began` is the time of the event at the position `first`. A moment is a position and a time,
    counted from there. Values are numbers, or texts where the type is `string`; the other column is NULL."""
    return [
        sa.Column("lasts", sa.BigInteger, nullable=False),
        sa.Column("first", sa.BigInteger, nullable=False),
        sa.Column("began", sa.DateTime(timezone=True), nullable=False),
        sa.Column("moments", ARRAY(sa.BigInteger), nullable=False),
        sa.Column("numbers", ARRAY(sa.Double)),
        sa.Column("texts", ARRAY(sa.Text)),
    ]


# A value is a number or words.
CURRENT_METRICS = sa.Table(
    "current_metrics",
    METADATA,
    sa.Column("device_id", sa.Uuid, primary_key=True),
    sa.Column("metric_id", sa.Uuid, primary_key=True),
    *_said_columns(),
    sa.Column("number", sa.Double),
    sa.Column("words", sa.Text),
    sa.Column("reported_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
    *_page_columns(),
)

# One holds from `first` to before `upto`; where it `ends`, the device was removed then.
METRIC_PAGES = sa.Table(
    "metric_pages",
    METADATA,
    sa.Column("metric_id", sa.Uuid),
    sa.Column("device_id", sa.Uuid),
    *_said_columns(),
    *_page_columns(),
    sa.Column("upto", sa.BigInteger, nullable=False),
    sa.Column("ends", sa.Boolean, nullable=False),
    sa.PrimaryKeyConstraint("metric_id", "device_id", "first"),
)

# Whatever lasts so long lasts for ever: the calendar ends, and nobody asks later.
LONG = int(timedelta(days=365 * 1000).total_seconds())
_FOREVER = "timestamptz '9000-01-01T00:00:00Z'"

# Of a moment: the time takes the lower bits, and may be earlier than that of `began`, since clocks differ.
_TIME_BITS, _POSITION_BITS = 38, 25
_MIDDLE = 1 << _TIME_BITS - 1
_LATEST = (1 << _TIME_BITS) - 1
_FARTHEST = (1 << _POSITION_BITS) - 1


def moment_of(positions: int, microseconds: int) -> int | None:
    """So many positions and microseconds after the first; None where that is too far away for one page."""
    if positions > _FARTHEST or not -_MIDDLE <= microseconds < _MIDDLE:
        return None
    return positions << _TIME_BITS | microseconds + _MIDDLE


def place_sql(page: str, position: str) -> str:
    """Which of the page's moments was the last one by the position."""
    after = f"least({position} - {page}.first, {_FARTHEST})"
    return f"width_bucket({after} << {_TIME_BITS} | {_LATEST}, {page}.moments)"


def time_sql(page: str, place: str) -> str:
    after = f"({page}.moments[{place}] & {_LATEST}) - {_MIDDLE}"
    return f"{page}.began + make_interval(secs => ({after}) / 1000000::float8)"


def expires_sql(time: str, lasts: str) -> str:
    return f"CASE WHEN {lasts} < {LONG} THEN {time} + make_interval(secs => {lasts}) ELSE {_FOREVER} END"
