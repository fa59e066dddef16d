"""What an export holds: which files count, and up to which position everything is in them."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from adapters.embedded.directory import write_private
from domain.value import Value

NAME = "manifest.json"
FORMAT = 1


class ExportedFile(Value):
    """`path` is below the directory of the export; its rows are of events from position `first` to `last`."""

    path: str
    table: str
    first: int
    last: int
    rows: int
    bytes: int


class Manifest(Value):
    """Files that it does not name do not count: they are of a run that was interrupted, or about to be removed."""

    log: str
    position: int = 0
    format: int = FORMAT
    files: tuple[ExportedFile, ...] = ()

    def paths(self, table: str) -> Sequence[str]:
        return [file.path for file in self.files if file.table == table]


class UnreadableManifestError(Exception):
    """The manifest is no manifest, or that of another version."""


def read_manifest(directory: Path) -> Manifest | None:
    """None where nothing was exported yet. Raises UnreadableManifestError."""
    try:
        manifest = msgspec.json.decode((directory / NAME).read_bytes(), type=Manifest)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except msgspec.MsgspecError as wrong:
        raise UnreadableManifestError(f"{NAME} cannot be read: {wrong}") from None
    if manifest.format != FORMAT:
        raise UnreadableManifestError(f"{NAME} has the format {manifest.format}, and this version knows {FORMAT}")
    return manifest


def write_manifest(directory: Path, manifest: Manifest) -> None:
    """Whole or not at all, also when the power fails."""
    write_private(directory / NAME, msgspec.json.encode(manifest).decode())
