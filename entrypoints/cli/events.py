"""`tidemark events`."""

import asyncio
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from entrypoints.cli.options import DataDir, database_url_of, fail

if TYPE_CHECKING:
    from adapters.eventstore.mapper import Mapper

_PAGE = 100
_BATCH = 1_000
_SHOWN_DATA = 120


def events(
    data_dir: DataDir = None,
    start: Annotated[
        int | None, typer.Option("--from", metavar="N", min=1, help="The first position; without it the newest events.")
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help=f"At most so many; {_PAGE} unless --follow or --from is given."),
    ] = None,
    topic: Annotated[
        str, typer.Option(metavar="PREFIX", help="Only events whose topic begins so, such as devices.sensor.")
    ] = "",
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with new events as they are appended.")] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON object a line, with the data in full.")] = False,
) -> None:
    """Show the log: position, time, who, through what, topic, aggregate, data. Private fields are never shown."""
    url = database_url_of(data_dir)
    try:
        asyncio.run(_show(url, start, limit, topic, follow=follow, as_json=json))
    except KeyboardInterrupt:
        raise typer.Exit(0) from None
    except BrokenPipeError:
        raise typer.Exit(0) from None  # `| head` has seen enough


async def _show(url: str, start: int | None, limit: int | None, topic: str, *, follow: bool, as_json: bool) -> None:
    from adapters.eventstore.mapper import Mapper
    from adapters.eventstore.reader import PostgresLogReader
    from adapters.eventstore.shown import shown
    from application.ports import LogUnavailableError
    from domain.catalogue import CATALOGUE

    mapper = Mapper(CATALOGUE)
    reader = PostgresLogReader(url, mapper)
    try:
        newest = limit or (10 if follow else _PAGE)
        position = start - 1 if start is not None else max(0, await reader.head() - newest)
        left = limit if limit is not None else -1
        while True:
            rows = await reader.read_rows(position, _BATCH)
            for row in rows:
                position = row.position
                if row.topic.startswith(topic):
                    typer.echo(shown(row, mapper).json if as_json else human(*row, mapper))
                    left -= 1
                    if left == 0:
                        return
            if not rows:
                if not follow:
                    return
                await reader.wait(1.0)
    except LogUnavailableError:
        fail("The database does not answer.")
    finally:
        await reader.close()


def human(position: int, aggregate_id: UUID, version: int, topic: str, state: bytes, mapper: "Mapper") -> str:
    """An event on one line, without the version."""
    from adapters.eventstore.shown import public_data

    stored = mapper.stored(state)
    data = public_data(topic, stored, mapper).decode()
    shown = data if len(data) <= _SHOWN_DATA else f"{data[: _SHOWN_DATA - 1]}…"
    at = stored.at.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
    actor = stored.actor if len(stored.actor) <= 20 else f"{stored.actor[:19]}…"
    return f"{position:>8}  {at}  {actor:<20}  {stored.source:<9}  {topic:<36}  {aggregate_id}  {shown}"
