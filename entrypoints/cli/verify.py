"""`tidemark verify`, `export-log` and `proof-key`."""

import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from time import monotonic
from typing import Annotated

import typer

from entrypoints.cli.options import DataDir, database_url_of, fail, settings_or_fail
from entrypoints.data_directory import DEFAULT, DataDirectory

_CANNOT_TELL = 2
_PUBLIC_KEY = re.compile("[0-9A-Fa-f]{64}")


def verify(
    data_dir: DataDir = None,
    key: Annotated[
        list[str] | None,
        typer.Option(
            metavar="HEX",
            help="The public key that signed, as `tidemark proof-key` prints it; again for a further one. Without it:"
            " this installation's, else whichever signed the first checkpoint.",
        ),
    ] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The file of checkpoints: what it has, the table must have too. Without it: the one below the data"
            " directory, or in TIDEMARK_PROOF_DIR.",
        ),
    ] = None,
    offline: Annotated[
        Path | None,
        typer.Option(
            metavar="EXPORT", help="Check what `export-log` wrote, against the file of checkpoints, and ask no server."
        ),
    ] = None,
) -> None:
    """Check that the log is as it was signed, and name the first position that is not.

    The exit status is 0 when all is well, 1 when something is wrong, 2 when it cannot be told.
    """
    from adapters.proof.offline import NotTrusted, Wrong

    if any(not _PUBLIC_KEY.fullmatch(one) for one in key or ()):
        fail("A public key has 64 hexadecimal digits.", _CANNOT_TELL)
    keys = [bytes.fromhex(one) for one in key] if key else _own_keys(data_dir)
    try:
        if offline is not None:
            if checkpoint is None:
                fail("An export is checked against a file of checkpoints: --checkpoint FILE", _CANNOT_TELL)
            _verify_export(offline, checkpoint, keys)
        else:
            _verify_log(database_url_of(data_dir), checkpoint or _own_file(data_dir), keys)
    except Wrong as wrong:
        typer.echo(f"WRONG: {wrong}")
        if isinstance(wrong, NotTrusted) and not key:
            typer.echo(f"Trusted is this installation's key, {keys[0].hex()}; --key trusts another.")
        raise typer.Exit(1) from None
    if not keys:
        typer.echo("No public key is known here: whoever signed the first checkpoint was believed (see --key).")


def export_log(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Gzipped when its name ends with .gz.")],
    data_dir: DataDir = None,
    checkpoints: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the checkpoints too, from the table.")
    ] = None,
) -> None:
    """Write the log as it is stored, for `verify --offline`: JSON lines, with what is private in them; who somebody
    is, is encrypted."""
    from adapters.proof.export import export_log
    from application.ports import LogUnavailableError

    try:
        count = export_log(database_url_of(data_dir), file, checkpoints, _progress())
    except LogUnavailableError:
        fail("The database does not answer.")
    except OSError as reason:
        fail(f"{reason.strerror}: {reason.filename}")
    typer.echo(f"{count} events are in {file}.")


def proof_key(data_dir: DataDir = None) -> None:
    """Print the public key that signs this installation's log. Keep it where this installation cannot write."""
    keys = _own_keys(data_dir)
    if not keys:
        fail("There is no key: TIDEMARK_PROOF_KEY is not set, and `tidemark up` never ran on the data directory.")
    typer.echo(keys[0].hex())


def _verify_log(url: str, file: Path | None, keys: Sequence[bytes]) -> None:
    from adapters.proof.verifying import verify
    from application.ports import LogUnavailableError

    started = monotonic()
    try:
        found = verify(url, keys, file, _progress())
    except LogUnavailableError:
        fail("The database does not answer.", _CANNOT_TELL)
    except (OSError, ValueError, KeyError) as reason:
        fail(f"A checkpoint cannot be read: {reason}", _CANNOT_TELL)
    seconds = monotonic() - started
    typer.echo(
        f"The log {found.log} is as it was signed up to position {found.proved}"
        f" ({found.checkpoints} checkpoints{' and their file' if file else ''}, {seconds:.1f} s,"
        f" {found.proved / seconds:,.0f} events/s)."
    )
    typer.echo(f"{found.behind} events come behind that and wait for the next checkpoint.")


def _verify_export(export: Path, checkpoints: Path, keys: Sequence[bytes]) -> None:
    from adapters.proof.checkpoint_file import checkpoints_in
    from adapters.proof.offline import check_export, read_export

    told = _progress()
    try:
        log, entries = read_export(str(export))
        proved, behind = check_export(entries, log, checkpoints_in(checkpoints), keys, lambda at: told(at, 0))
    except (OSError, ValueError, LookupError, TypeError, ArithmeticError) as reason:
        fail(f"It cannot be read: {reason}", _CANNOT_TELL)
    typer.echo(f"The log {log} is as it was signed up to position {proved}; {behind} events come behind that.")


def _own_keys(data_dir: Path | None) -> list[bytes]:
    from adapters.proof.signing import SigningKey

    if data_dir is None and os.environ.get("TIDEMARK_DATABASE_URL"):
        seed = settings_or_fail(()).proof_key
    else:
        seed = DataDirectory(data_dir or DEFAULT).proof_key()
    return [SigningKey(seed).public_key] if seed else []


def _own_file(data_dir: Path | None) -> Path | None:
    from adapters.proof.checkpoint_file import NAME

    if data_dir is None and os.environ.get("TIDEMARK_DATABASE_URL"):
        given = settings_or_fail(()).proof_dir
        file = Path(given, NAME) if given else None
    else:
        file = DataDirectory(data_dir or DEFAULT).proof / NAME
    return file if file and file.exists() else None


def _progress() -> Callable[[int, int], None]:
    """On standard error once a second: how far it is."""
    started = said = monotonic()
    end = "\r" if sys.stderr.isatty() else "\n"

    def told(position: int, head: int) -> None:
        nonlocal said
        if monotonic() - said > 1:
            said = monotonic()
            of = f" of {head:,} ({min(100, position * 100 // head)} %)" if head else ""
            typer.echo(f"{position:,}{of}, {position / (said - started):,.0f} events/s{end}", nl=False, err=True)

    return told
