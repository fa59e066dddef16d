"""The command `tidemark`. Modules here stay light: what a command needs is imported when it runs."""

from typing import Annotated

import typer

from entrypoints.cli import (
    analyse,
    audit,
    commands,
    doctor,
    events,
    export,
    forget,
    processes,
    query,
    rebuild,
    replay,
    simulate,
    tokens,
    users,
    verify,
)

app = typer.Typer(
    help="An event-sourced device cloud.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback()
def tidemark(
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the installed version.", is_eager=True, callback=commands.say_version),
    ] = False,
) -> None:
    """An event-sourced device cloud."""


app.command()(processes.up)
app.command()(processes.serve)
app.command()(processes.worker)
app.command()(commands.migrate)
app.command()(rebuild.rebuild)
app.command()(events.events)
app.add_typer(audit.app, name="audit")
app.command()(verify.verify)
app.command()(verify.export_log)
app.command()(verify.proof_key)
app.command()(export.export)
app.command()(query.query)
app.command()(analyse.analyse)
app.command()(replay.replay)
app.command()(simulate.simulate)
app.command()(tokens.token)
app.add_typer(users.app, name="user")
app.add_typer(forget.app, name="forget")
app.command()(doctor.doctor)
app.command()(commands.settings)
app.command()(commands.asyncapi)
app.command()(commands.version)


def main() -> None:
    """Run the command line; the console script `tidemark` calls this."""
    app()
