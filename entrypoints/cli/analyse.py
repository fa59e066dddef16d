"""`tidemark analyse`."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated

import typer

from entrypoints.cli.asking import ExportOption, Form, FormOption, OutputOption, answer, chosen
from entrypoints.cli.options import DataDir, fail


def analyse(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Without it: which there are, and their parameters.")
    ] = None,
    parameters: Annotated[
        list[str] | None, typer.Argument(metavar="PARAMETER=VALUE", help="Such as since=2026-01-14T12:00:00Z.")
    ] = None,
    data_dir: DataDir = None,
    form: FormOption = None,
    output: OutputOption = None,
    export: ExportOption = None,
) -> None:
    """Ask what is asked again and again, as GET /analytics/NAME does: availability of devices, latency of commands,
    statistics of readings, and the like."""
    from adapters.analytics.ready_made import ANALYSES, ParameterError, parameters_of, sql_of

    if name is None:
        _list(form)
        return
    if name not in ANALYSES:
        fail(f"There is no analysis {name!r}; there are {', '.join(ANALYSES)}.", 2)
    try:
        values = parameters_of(ANALYSES[name], _given(parameters or ()), datetime.now(UTC))
    except ParameterError as reason:
        fail(f"{reason}.", 2)
    answer(sql_of(name), values, chosen(form, output), output, data_dir, export)


def _given(parameters: Sequence[str]) -> Mapping[str, str]:
    given: dict[str, str] = {}
    for parameter in parameters:
        name, sign, value = parameter.partition("=")
        if not sign:
            fail(f"{parameter!r} is no PARAMETER=VALUE.", 2)
        if name in given:
            fail(f"{name} is given twice.", 2)
        given[name] = value
    return given


def _list(form: Form | None) -> None:
    """Readable, or as JSON with the SQL of each."""
    import msgspec

    from adapters.analytics.ready_made import described

    if form == "json":
        typer.echo(msgspec.json.format(msgspec.json.encode(described())))
    elif form in (None, "table"):
        for line in _lines():
            typer.echo(line)
    else:
        fail("What there is comes as a table or as json.", 2)


def _lines() -> Iterator[str]:
    from adapters.analytics.ready_made import ANALYSES

    for name, analysis in ANALYSES.items():
        yield f"{name}: {analysis.about}"
        for parameter, told in analysis.parameters.items():
            without = "" if told.default is None else f"; without it {told.default:g}"
            yield f"  {f'{parameter}=…':<11} {told.about}{without}"
