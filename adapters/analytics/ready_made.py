"""The questions that come again and again, each as a file of SQL with parameters."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NamedTuple
from uuid import UUID

import msgspec

Kind = Literal["time", "id", "text", "number"]

_Time = Annotated[datetime, msgspec.Meta(tz=True)]
# Of seconds DuckDB knows millionths, and takes less for nothing.
LEAST, BELOW = 0.001, 1e12
_Number = Annotated[float, msgspec.Meta(ge=LEAST, lt=BELOW)]

# Without a beginning the last day is told of.
PERIOD: Final = timedelta(days=1)

_SQL = Path(__file__).parent / "sql"


class Parameter(NamedTuple):
    """`default` is None for what may be left out."""

    kind: Kind
    about: str
    default: Any = None


class Analysis(NamedTuple):
    about: str
    parameters: Mapping[str, Parameter]


class ParameterError(Exception):
    """A parameter is not known, or cannot be read."""


_KINDS: Mapping[Kind, str] = {
    "time": "a time such as 2026-01-14T12:00:00Z",
    "id": "a UUID",
    "text": "a text",
    "number": f"a number from {LEAST} on",
}
_PERIOD = {
    "since": Parameter("time", "the beginning of the period; without it a day before its end"),
    "until": Parameter("time", "its end, which does not belong to it; without it now"),
}
_DEVICE = {"device": Parameter("id", "only this device")}

ANALYSES: Final[Mapping[str, Analysis]] = {
    "availability": Analysis("how much of a period each device was there", {**_PERIOD, **_DEVICE}),
    "command-latency": Analysis("how long answers to commands took, and how many never came", {**_PERIOD, **_DEVICE}),
    "reading-statistics": Analysis(
        "what each sensor measured, and its gaps",
        {
            **_PERIOD,
            **_DEVICE,
            "sensor": Parameter("id", "only this sensor"),
            "gap": Parameter("number", "seconds without a reading that are a gap; without it five times the median"),
        },
    ),
    "message-rates": Analysis(
        "how many messages came to each topic of streams",
        {
            **_PERIOD,
            "topic": Parameter("text", "only this topic"),
            "bucket": Parameter("number", "seconds that are counted together", 3600.0),
        },
    ),
    "busiest-actors": Analysis(
        "who made the most events",
        {
            **_PERIOD,
            "context": Parameter("text", "only events of this context"),
            "limit": Parameter("number", "how many actors", 20.0),
        },
    ),
    "connector-stability": Analysis(
        "how much of a period each connector client was running",
        {**_PERIOD, "client": Parameter("id", "only this client")},
    ),
}


def described() -> Sequence[Mapping[str, Any]]:
    """All of them, for whoever chooses one."""
    return [
        {
            "name": name,
            "about": analysis.about,
            "parameters": {name: parameter.about for name, parameter in analysis.parameters.items()},
            "sql": sql_of(name),
        }
        for name, analysis in ANALYSES.items()
    ]


@cache
def sql_of(name: str) -> str:
    return (_SQL / f"{name}.sql").read_text(encoding="utf-8")


def parameters_of(analysis: Analysis, given: Mapping[str, str], now: datetime) -> Mapping[str, Any]:
    """All of its parameters, each as the SQL takes it. Raises ParameterError."""
    for name in given:
        if name not in analysis.parameters:
            known = ", ".join(analysis.parameters)
            raise ParameterError(f"There is no parameter {name!r}; there are {known}")
    read = {
        name: _read(name, parameter.kind, given[name]) if name in given else parameter.default
        for name, parameter in analysis.parameters.items()
    }
    until = read["until"] or now
    since = read["since"] or until - PERIOD
    if since >= until:
        raise ParameterError("`since` has to be before `until`")
    return {**read, "since": since.isoformat(), "until": until.isoformat()}


def _read(name: str, kind: Kind, text: str) -> Any:
    try:
        if kind == "time":
            # A plus that was not encoded arrives as a space.
            return msgspec.convert(text.replace(" ", "+"), _Time)
        if kind == "id":
            return str(msgspec.convert(text.lower(), UUID))
        if kind == "number":
            return msgspec.json.decode(text, type=_Number)
    except msgspec.MsgspecError:
        what = {"time": "a time such as 2026-01-14T12:00:00Z", "id": "a UUID", "number": f"a number from {LEAST} on"}[
            kind
        ]
        raise ParameterError(f"`{name}` is {what}") from None
    return text
