"""Pages of readings as they were: what was recorded up to a position, as it was shown then.

The readings that came later stand before them in every index by time. So that nobody walks past all of those, the walk
begins at the time of the position; what a device's clock had put beyond that is found by an index of its own, of the
few readings that were ahead of our time when they came in.
"""

from functools import cache
from typing import Literal

from domain.identifiers import VALUES_PER_EVENT
from projections.audit.trail import AT

Order = Literal["asc", "desc"]

# As the index `readings_ahead` has it.
AHEAD = "interval '1 minute'"

_SHOWN_OF_ONE = f"""
    {{r}}.sensor_id = %(sensor_id)s AND {{r}}.id + 0 >= (
        SELECT coalesce(max(c.position), 0) * {VALUES_PER_EVENT} FROM reading_cutoffs c
        WHERE c.sensor_id = %(sensor_id)s
    )
"""
_SHOWN = f"""
    NOT EXISTS (
        SELECT FROM reading_cutoffs c WHERE c.sensor_id = {{r}}.sensor_id AND {{r}}.id < c.position * {VALUES_PER_EVENT}
    )
"""
_UNTOUCHED = """
    r.id < (%(position)s::bigint + 1) * {values}
    AND NOT EXISTS (SELECT FROM public.reading_versions v WHERE v.id = r.id)
"""
_OF_THEN = """
    v.valid_from <= %(position)s AND (v.valid_to IS NULL OR v.valid_to > %(position)s) AND v.what <> 'removed'
"""
_THEN = f"(SELECT {AT} FROM events WHERE notification_id = %(position)s)"


# A number in the query itself, and few different ones. If it were a parameter, PostgreSQL would take a tenth of the
# table for it in a plan for any page, plan each page anew instead, and take longer for that than for the page.
_LEAST_ROOM = 128


def room_for(limit: int, offset: int) -> int:
    """So many rows of each kind hold every page up to there: the next power of two."""
    return max(_LEAST_ROOM, 1 << (limit + offset - 1).bit_length())


@cache
def listed_then(one_sensor: bool, start: bool, end: bool, after: bool, order: Order, room: int) -> bytes:
    """The parameters are those of a page of now, and `position`; `room` is that of the page."""
    direction = "ASC" if order == "asc" else "DESC"

    def time(of: str) -> str:
        return f"{of}.value_at" if one_sensor else f"timezone('UTC', {of}.value_at)"

    def moment(name: str) -> str:
        return f"%({name})s::timestamptz" if one_sensor else f"timezone('UTC', %({name})s::timestamptz)"

    def arm(table: str, of: str, *conditions: str) -> str:
        wanted = [(_SHOWN_OF_ONE if one_sensor else _SHOWN).format(r=of), *conditions]
        if start:
            wanted.append(f"{time(of)} >= {moment('start')}")
        if end:
            wanted.append(f"{time(of)} < {moment('end')}")
        if after:
            comes = ">" if order == "asc" else "<"
            wanted.append(f"({time(of)}, {of}.id) {comes} ({moment('after_at')}, %(after_id)s::bigint)")
        return f"""
            (SELECT {of}.id, {of}.sensor_id, {of}.value, {of}.value_at FROM public.{table} {of}
             WHERE {" AND ".join(wanted)} ORDER BY {time(of)} {direction}, {of}.id {direction}
             LIMIT {room})
        """

    untouched = _UNTOUCHED.format(values=VALUES_PER_EVENT)
    beyond = f"({_THEN} + {AHEAD})"
    in_utc = f"timezone('UTC', {beyond})"
    ahead = f"r.value_at - r.received_at > {AHEAD} AND timezone('UTC', r.value_at) > {in_utc}"
    arms = (
        arm("readings", "r", untouched, f"{time('r')} <= {beyond if one_sensor else in_utc}"),
        arm("readings", "r", untouched, ahead),
        arm("reading_versions", "v", _OF_THEN),
    )
    return f"""
        SELECT p.id, p.sensor_id, p.value, p.value_at FROM ({" UNION ALL ".join(arms)}) p
        ORDER BY p.value_at {direction}, p.id {direction} LIMIT %(limit)s::bigint OFFSET %(offset)s::bigint
    """.encode()


# Of each sensor the newest by the time of the position, found as now by jumping from one to the next; what was ahead of
# our time, and what was corrected since, is little and looked at as a whole.
_UNTOUCHED_BY = _UNTOUCHED.format(values=VALUES_PER_EVENT)
_EACH_LATEST = f"""
    WITH RECURSIVE sensor(id) AS (
        (SELECT sensor_id FROM public.readings ORDER BY sensor_id LIMIT 1)
        UNION ALL
        SELECT (SELECT r.sensor_id FROM public.readings r WHERE r.sensor_id > s.id ORDER BY r.sensor_id LIMIT 1)
        FROM sensor s WHERE s.id IS NOT NULL
    ), found AS (
        SELECT latest.* FROM sensor s CROSS JOIN LATERAL (
            SELECT r.id, r.sensor_id, r.value, r.value_at FROM public.readings r
            WHERE r.sensor_id = s.id AND {_UNTOUCHED_BY} AND r.value_at <= {_THEN} + {AHEAD} AND r.id + 0 >= (
                SELECT coalesce(max(c.position), 0) * {VALUES_PER_EVENT} FROM reading_cutoffs c WHERE c.sensor_id = s.id
            )
            ORDER BY r.value_at DESC, r.id DESC LIMIT 1
        ) latest
        UNION ALL
        SELECT r.id, r.sensor_id, r.value, r.value_at FROM public.readings r
        WHERE {_SHOWN.format(r="r")} AND {_UNTOUCHED_BY} AND r.value_at - r.received_at > {AHEAD}
            AND timezone('UTC', r.value_at) > timezone('UTC', {_THEN} + {AHEAD})
        UNION ALL
        SELECT v.id, v.sensor_id, v.value, v.value_at FROM public.reading_versions v
        WHERE {_SHOWN.format(r="v")} AND {_OF_THEN}
    )
    SELECT * FROM (SELECT DISTINCT ON (sensor_id) * FROM found ORDER BY sensor_id, value_at DESC, id DESC) latest
    ORDER BY value_at {{order}}, id {{order}} LIMIT %(limit)s::bigint
"""
LATEST_THEN: dict[Order, bytes] = {
    "asc": _EACH_LATEST.format(order="ASC").encode(),
    "desc": _EACH_LATEST.format(order="DESC").encode(),
}
"""The newest reading of each sensor; the parameters are those of now, and `position`."""
