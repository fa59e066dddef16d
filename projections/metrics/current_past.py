"""Current metrics as of an earlier moment: rows as the table had them then, from its rows and from pages.

A row whose first value came by then tells it; where that came later, one look into the pages of the metric of the
device does, so that it counts neither how old the moment is nor how much was reported. What is asked of all metrics
goes by an index that knows of each position which pages held then.
"""

from projections.metrics.current_rows import CURRENT_METRICS, expires_sql, place_sql, time_sql

_POSITION = "%(position)b::bigint"


def _rows(page: str, source: str) -> str:
    """Those of the table, made of its rows or of pages."""
    place = place_sql(page, _POSITION)
    time = time_sql(page, place)
    made = {
        "number": f"{page}.numbers[{place}]",
        "words": f"{page}.texts[{place}]",
        "reported_at": time,
        "expires_at": expires_sql(time, f"{page}.lasts"),
    }
    names = [column.name for column in CURRENT_METRICS.columns]
    columns = (f"{made.get(name, f'{page}.{name}')} AS {name}" for name in names)
    return f"SELECT {', '.join(columns)} FROM {source}"


def _of_keys(*wanted: str) -> str:
    """Of what those keys say of a metric of a device."""
    present = "public.current_metrics c WHERE " + " AND ".join(f"c.{one}" for one in wanted)
    ended = "metric_pages e WHERE " + " AND ".join(f"e.{one}" for one in wanted)
    earlier = f"""(
        SELECT c.device_id, c.metric_id FROM {present} AND c.first > {_POSITION}
        UNION
        SELECT e.device_id, e.metric_id FROM {ended} AND e.ends AND e.upto > {_POSITION}
    ) k CROSS JOIN LATERAL (
        SELECT * FROM metric_pages p
        WHERE p.metric_id = k.metric_id AND p.device_id = k.device_id AND p.first <= {_POSITION}
        ORDER BY p.first DESC LIMIT 1
    ) p WHERE p.upto > {_POSITION}"""
    return f"({_rows('c', f'{present} AND c.first <= {_POSITION}')} UNION ALL {_rows('p', earlier)}) t"


_OF_DEVICE, _OF_METRIC = "device_id = %(device_id)s::uuid", "metric_id = %(metric_id)s::uuid"
OF_DEVICE_THEN = _of_keys(_OF_DEVICE)
OF_METRIC_THEN = _of_keys(_OF_METRIC)
OF_METRIC_OF_DEVICES_THEN = _of_keys(_OF_METRIC, "device_id = ANY(%(devices)s::uuid[])")

_NOW = f"public.current_metrics c WHERE c.first <= {_POSITION}"
_EARLIER = f"metric_pages p WHERE int8range(p.first, p.upto) @> {_POSITION}"
ALL_THEN = f"({_rows('c', _NOW)} UNION ALL {_rows('p', _EARLIER)}) t"
