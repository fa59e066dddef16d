"""`tidemark token`."""

import os
from datetime import timedelta
from typing import Annotated

import typer

from entrypoints.cli.options import DataDir, fail
from entrypoints.data_directory import DEFAULT, DataDirectory


def token(
    subject: Annotated[str, typer.Option(metavar="NAME", help="The username that the token speaks for.")],
    data_dir: DataDir = None,
    scope: Annotated[
        list[str] | None, typer.Option(metavar="S", help="What the token permits; may be given several times.")
    ] = None,
    ttl: Annotated[int, typer.Option(metavar="SECONDS", min=1, help="How long it is valid.")] = 24 * 3600,
) -> None:
    """Print a bearer token. Nothing has to run: it is signed with the secret in the data directory."""
    from adapters.security.tokens import Tokens
    from domain.identifiers import user_id
    from entrypoints.setting_kinds import Wrong
    from entrypoints.settings import given_in

    try:
        secret = None if data_dir else given_in(os.environ, "TIDEMARK_JWT_SECRET", "JWT_SECRET")
    except Wrong as wrong:
        fail(f"The secret {wrong.what}.")
    directory = DataDirectory(data_dir or DEFAULT)
    secret = secret or directory.jwt_secret()
    if secret is None:
        fail(
            f"There is no secret in {directory.path.absolute()} yet: start `tidemark up --data-dir {directory.path}` "
            "once, or set TIDEMARK_JWT_SECRET."
        )
    typer.echo(Tokens(secret).issue(subject, user_id(subject), timedelta(seconds=ttl), scope or ()))
