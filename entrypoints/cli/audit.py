"""`tidemark audit`: what HTTP answers below /audit, for whoever can reach the database."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from entrypoints.cli.options import DataDir, database_url_of, fail

if TYPE_CHECKING:
    from projections.audit.traces import Node
    from projections.audit.trail_queries import Row
    from projections.database import Database

app = typer.Typer(help="Who did what, and what came of it.", no_args_is_help=True, rich_markup_mode=None)

_TIMES = ["%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M:%S.%f%z"]
_SHOWN = 160

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]


@app.command()
def events(
    data_dir: DataDir = None,
    context: Annotated[str | None, typer.Option(help="identity, devices, connectors, metrics or streams.")] = None,
    aggregate: Annotated[str | None, typer.Option(metavar="KIND", help="Such as devices.device.")] = None,
    event: Annotated[str | None, typer.Option(metavar="NAME", help="Such as devices.command.issued.")] = None,
    id: Annotated[UUID | None, typer.Option(help="Of the aggregate.")] = None,
    about: Annotated[UUID | None, typer.Option(metavar="ID", help="Whatever the event names by its id.")] = None,
    actor: Annotated[str | None, typer.Option(help="Such as user:ID or device:ID.")] = None,
    source: Annotated[str | None, typer.Option(help="http, mqtt, websocket, connector or system.")] = None,
    correlation: Annotated[str | None, typer.Option(metavar="ID", help="One conversation.")] = None,
    since: Annotated[datetime | None, typer.Option(formats=_TIMES, help="Such as 2026-11-24T08:00:00Z.")] = None,
    until: Annotated[datetime | None, typer.Option(formats=_TIMES, help="Not included.")] = None,
    oldest: Annotated[bool, typer.Option("--oldest", help="The oldest first.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 100,
    json: AsJson = False,
) -> None:
    """Search the log, the newest first."""
    from projections.audit.trail_queries import Sought

    sought = Sought(
        context=context,
        aggregate=aggregate,
        event=event,
        id=id,
        about=about,
        actor=actor,
        source=source,
        correlation=correlation,
        since=since,
        until=until,
    )

    async def show(database: "Database") -> None:
        from msgspec.structs import replace

        from projections.audit.trail_queries import TrailQueries

        left, going_on = limit, sought
        while left > 0:
            page = await TrailQueries(database).search(going_on, min(left, 500), newest=not oldest)
            for line in _lines(page.rows, as_json=json):
                typer.echo(line)
            left -= len(page.rows)
            if page.next is None:
                return
            going_on = replace(sought, after=page.next) if oldest else replace(sought, before=page.next)

    _run(data_dir, show)


@app.command()
def history(
    context: Annotated[str, typer.Argument(help="Such as devices.")],
    id: Annotated[UUID, typer.Argument(help="Of the aggregate.")],
    data_dir: DataDir = None,
    json: AsJson = False,
) -> None:
    """Show everything that happened to one aggregate, and what each event made different."""

    async def show(database: "Database") -> None:
        import msgspec

        from entrypoints.showing import MAPPER
        from projections.audit.histories import HistoryQueries

        version: int | None = None
        while True:
            found = await HistoryQueries(database, MAPPER.event).find(context, id, version, 500, newest=False)
            if found is None:
                fail(f"Nothing happened to {id} in {context}.")
            for step in found.steps:
                (line,) = _lines([step.row], as_json=json)
                changes = msgspec.json.encode(step.changes)
                typer.echo(f'{line[:-1]},"changes":{changes.decode()}}}' if json else line)
                for change in () if json else step.changes or ():
                    typer.echo(f"{'':>10}{_told(msgspec.to_builtins(change))}")
            version = found.next
            if version is None:
                return

    _run(data_dir, show)


@app.command()
def state(
    context: Annotated[str, typer.Argument(help="Such as devices.")],
    id: Annotated[UUID, typer.Argument(help="Of the aggregate.")],
    data_dir: DataDir = None,
    as_of: Annotated[
        str | None,
        typer.Option("--as-of", metavar="MOMENT", help="A position, or a time such as 2026-11-24T08:00:00Z; else now."),
    ] = None,
) -> None:
    """Show what one aggregate was at a moment, as JSON, without private and personal fields.

    `as_of` is the position that was read; `version` and `position` are of its last event by then."""

    async def show(database: "Database") -> None:
        import msgspec

        from entrypoints.showing import MAPPER
        from projections.as_of import AsOfError
        from projections.audit.moments import Moments, UnreadableMomentError
        from projections.audit.states import BeforeItBeganError, NoStateError, StateQueries
        from projections.positions import log_head

        states = StateQueries(database, MAPPER.event)
        aggregate = await states.kind(context, id)
        if aggregate is None:
            fail(f"Nothing happened to {id} in {context}.")
        try:
            position = await (log_head(database) if as_of is None else Moments(database).position_in_log(as_of))
            found = await states.find(aggregate, id, position)
        except UnreadableMomentError:
            fail(f"{as_of!r} is neither a position nor a time such as 2026-11-24T08:00:00Z.", 2)
        except (AsOfError, BeforeItBeganError, NoStateError) as reason:
            fail(_sentence(reason))
        told = {"context": context, "aggregate": aggregate, "id": id, "as_of": position, **found._asdict()}
        typer.echo(msgspec.json.format(msgspec.json.encode(told)))

    _run(data_dir, show)


@app.command()
def proof(
    position: Annotated[int, typer.Argument(min=1, help="Of the event.")],
    data_dir: DataDir = None,
) -> None:
    """Prove that one event is in the log, as JSON: its leaf, the way to the root of a signed checkpoint, and that.

    `python3 offline.py --proof FILE KEY` checks it without the log, and with `--export EXPORT` that the event in an
    export is that one (docs/how-to/prove-the-log.md)."""

    async def show(database: "Database") -> None:
        import msgspec

        from adapters.proof.inclusion import InclusionProofs, LogChangedError, NotProvedError
        from projections.positions import log_head

        if position > (head := await log_head(database)):
            fail(f"There is no event at {position}; the log ends at {head}.")
        try:
            found = await InclusionProofs(database.url).inclusion_proof(position)
        except (NotProvedError, LogChangedError) as reason:
            fail(_sentence(reason))
        typer.echo(msgspec.json.encode(found.document()))

    _run(data_dir, show)


@app.command()
def trace(
    correlation: Annotated[str, typer.Argument(help="The id of the conversation, as X-Request-Id says it.")],
    data_dir: DataDir = None,
) -> None:
    """Show everything that came of one request or message, as a tree."""

    async def show(database: "Database") -> None:
        from projections.audit.traces import TraceQueries
        from projections.audit.trail_queries import TrailQueries

        found = await TraceQueries(database, TrailQueries(database)).find(correlation)
        if found is None:
            fail(f"The log has nothing of the conversation {correlation}.")
        for line in _tree(found.tree, ""):
            typer.echo(line)

    _run(data_dir, show)


def _run(data_dir: Any, show: "Callable[[Database], Awaitable[None]]") -> None:
    from application.ports import LogUnavailableError
    from projections.database import Database

    url = database_url_of(data_dir)

    async def run() -> None:
        async with Database(url, connections=2) as database:
            await show(database)

    try:
        with suppress(BrokenPipeError):  # `| head` has seen enough
            asyncio.run(run())
    except LogUnavailableError:
        fail("The database does not answer.")
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def _lines(rows: "Sequence[Row]", *, as_json: bool) -> Iterator[str]:
    from entrypoints.cli.events import human
    from entrypoints.showing import MAPPER, shown_event

    for row in rows:
        yield shown_event(*row)[1].decode() if as_json else human(*row, MAPPER)


def _sentence(reason: Exception) -> str:
    text = str(reason).removeprefix("as_of: ")
    return f"{text[0].upper()}{text[1:]}."


def _told(change: dict[str, Any]) -> str:
    if change.get("private"):
        return f"{change['path']}: is different (private)"
    told = [f"{what} {_short(change[what])}" for what in ("added", "removed") if what in change]
    if told:
        return f"{change['path']}: {', '.join(told)}"
    before, after = (_short(change[side]) if side in change else "nothing" for side in ("before", "after"))
    return f"{change['path']}: {before} → {after}"


def _short(value: Any) -> str:
    import msgspec

    text = msgspec.json.encode(value).decode()
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def _tree(nodes: "Sequence[Node]", margin: str) -> Iterator[str]:
    for index, node in enumerate(nodes):
        is_last = index == len(nodes) - 1
        if node.row is not None:
            (told,) = _lines([node.row], as_json=False)
        elif node.correlation is not None:
            told = f"in the conversation {node.correlation}"
        else:
            told = f"because of {node.cause}"
        yield f"{margin}{'└─' if is_last else '├─'} {told.strip()}"
        yield from _tree(node.caused, f"{margin}{'   ' if is_last else '│  '}")
