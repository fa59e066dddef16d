"""`tidemark user`."""

import asyncio
import getpass
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from entrypoints.cli.options import DataDir, database_url_of, fail

if TYPE_CHECKING:
    from application.command import Command

app = typer.Typer(help="Add accounts, lock them out and let them in again.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The username, in any capitals.")]


@app.command()
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The username, 3 to 50 characters.")],
    data_dir: DataDir = None,
    email: Annotated[str | None, typer.Option(metavar="ADDRESS", help="Kept with the account.")] = None,
) -> None:
    """Add an account, whatever TIDEMARK_REGISTRATION says. The password is asked for, or read from standard input."""
    from adapters.security.passwords import Argon2Passwords
    from application.identity import RegisterUser

    url = database_url_of(data_dir)
    password = _password()
    _require_as_at_the_door(name, password)

    async def hashed() -> str:
        async with Argon2Passwords() as passwords:
            return await passwords.hash(password)

    _execute(RegisterUser(username=name, password_hash=asyncio.run(hashed()), email=email), url)
    typer.echo(f"{name} may log in.")


@app.command()
def disable(
    name: Name,
    data_dir: DataDir = None,
    reason: Annotated[str, typer.Option(help="Kept with the event.")] = "by an operator",
) -> None:
    """Lock an account out: its tokens stop working within seconds, and it cannot log in."""
    from application.identity import DisableUser

    _execute(DisableUser(username=name, reason=reason), database_url_of(data_dir))
    typer.echo(f"{name} is locked out.")


@app.command()
def enable(name: Name, data_dir: DataDir = None) -> None:
    """Let an account in again."""
    from application.identity import EnableUser

    _execute(EnableUser(username=name), database_url_of(data_dir))
    typer.echo(f"{name} may act again.")


def _password() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    password = getpass.getpass("Password: ")
    if getpass.getpass("Once more: ") != password:
        fail("The two passwords differ; nothing was changed.")
    return password


def _require_as_at_the_door(name: str, password: str) -> None:
    """The rules of `POST /register`, because whoever is added here logs in there."""
    import msgspec

    from entrypoints.lambda_iot.bodies.accounts import register_user_body
    from entrypoints.lambda_iot.errors import BadRequestError

    try:
        register_user_body(msgspec.json.encode({"username": name, "password": password}))
    except BadRequestError as fault:
        fail(f"{fault.text}: a username has 3 to 50 characters, a password 6 to 1024; nothing was changed.")


def _execute(command: "Command", database_url: str) -> None:
    from application.ports import LogUnavailableError
    from domain.errors import DomainError
    from domain.event import Origin
    from entrypoints.composition import write_path
    from entrypoints.correlation import correlation_id

    async def execute() -> None:
        origin = Origin(actor=f"system:{getpass.getuser()}", source="system", correlation_id=correlation_id())
        async with write_path(database_url) as (running, _):
            await running.execute(command, origin)

    try:
        asyncio.run(execute())
    except DomainError as refusal:
        fail(refusal.message)
    except LogUnavailableError:
        fail("The database does not answer; nothing was changed.")
