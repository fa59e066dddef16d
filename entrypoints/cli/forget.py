"""`tidemark forget`."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated

import typer

from entrypoints.cli.options import DataDir, database_url_of, fail

if TYPE_CHECKING:
    from application.policies.forgetting import Forgetting, Forgotten
    from domain.event import Origin

app = typer.Typer(
    help="Forget a person: destroy, for good, the key of whatever in the log tells who it was.",
    no_args_is_help=True,
)

Yes = Annotated[bool, typer.Option("--yes", help="Do not ask whether this is meant.")]


@app.command()
def user(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The username, in any capitals.")],
    data_dir: DataDir = None,
    yes: Yes = False,
) -> None:
    """Forget who has an account. It is locked out, and the name stays taken."""
    _ask(f"Forget the user {name}? Nobody can undo this.", yes)
    _forget(data_dir, lambda forgetting, origin: forgetting.forget_user(name, origin))


@app.command()
def subject(
    name: Annotated[str, typer.Argument(metavar="SUBJECT", help="As the app calls the customer.")],
    owner: Annotated[str, typer.Option(metavar="NAME", help="The username that the app's tokens speak for.")],
    data_dir: DataDir = None,
    yes: Yes = False,
) -> None:
    """Forget a customer of an app that uses connectors. Refused while there are clients or things for it."""
    from domain.identifiers import user_id

    _ask(f"Forget the subject {name} of {owner}? Nobody can undo this.", yes)
    _forget(data_dir, lambda forgetting, origin: forgetting.forget_subject(str(user_id(owner)), name, origin))


def _ask(question: str, yes: bool) -> None:
    if not yes:
        typer.confirm(question, abort=True)


def _forget(data_dir: "DataDir", forget: "Callable[[Forgetting, Origin], Awaitable[Forgotten]]") -> None:
    import asyncio
    import getpass

    from application.policies.forgetting import Forgetting
    from application.ports import LogUnavailableError
    from domain.connectors.subject import SubjectServedError
    from domain.errors import DomainError
    from domain.event import Origin
    from entrypoints.composition import write_path
    from entrypoints.correlation import correlation_id
    from projections.database import Database
    from projections.persons import PersonQueries
    from projections.positions import Positions

    url = database_url_of(data_dir)

    async def forgotten() -> "Forgotten":
        origin = Origin(actor=f"system:{getpass.getuser()}", source="system", correlation_id=correlation_id())
        async with (
            write_path(url) as (executor, _),
            Database(url, connections=2) as database,
            Positions(database, patience=10.0).running() as positions,
        ):
            return await forget(Forgetting(executor, PersonQueries(database, positions)), origin)

    try:
        done = asyncio.run(forgotten())
    except SubjectServedError as served:
        ids = [*(f"client {id}" for id in served.clients), *(f"thing {id}" for id in served.things)]
        fail("\n  ".join([served.message, *ids[:20], *(["…"] if len(ids) > 20 else [])]))
    except DomainError as refusal:
        fail(refusal.message)
    except LogUnavailableError:
        fail("The database does not answer, or the read models are behind: try again, to forget twice does no harm.")
    typer.echo(f"Forgotten, and shown as {done.shown_as}.")
    if not done.everywhere:
        typer.echo("The read models have not come to it yet: no worker runs, or it is behind.", err=True)
