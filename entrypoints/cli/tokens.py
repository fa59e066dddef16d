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

    secret = None if data_dir else os.environ.get("TIDEMARK_JWT_SECRET") or os.environ.get("JWT_SECRET")
    directory = DataDirectory(data_dir or DEFAULT)
    secret = secret or directory.jwt_secret()
    if secret is None:
        fail(
            f"There is no secret in {directory.path.absolute()} yet: start `tidemark up --data-dir {directory.path}` "
            "once, or set TIDEMARK_JWT_SECRET."
        )
    typer.echo(Tokens(secret).issue(subject, user_id(subject), timedelta(seconds=ttl), scope or ()))
