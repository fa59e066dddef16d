"""The rules of the house, as functions of one file: each yields a sentence per violation."""

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
LAYERS = ("domain", "application", "adapters", "projections", "entrypoints")
SHIPPED = (*LAYERS, "migrations")
CONTEXTS = ("identity", "devices", "connectors", "metrics", "streams")
BANNED_NAMES = {"utils", "helpers", "common", "base", "manager", "service", "core", "misc"}
LONGEST = 400
# Path → why it may be longer. Empty is how it should stay.
LONGER: dict[str, str] = {
    "adapters/proof/offline.py": "one file for whoever has nothing else of ours, with a signature check of its own",
}
# Path → why its standard output or standard error is its interface.
PROGRAMS = {
    "entrypoints/simulate.py": "its progress is what it is for, on the stream that the command gives it",
    "adapters/embedded/launch.py": "a program of its own, started before there is a log",
}
THIRD_PARTY = {"domain": {"msgspec"}, "application": {"msgspec", "eventsourcing"}}
IMPURE_MODULES = {
    "asyncio",
    "logging",
    "os",
    "pathlib",
    "random",
    "secrets",
    "socket",
    "subprocess",
    "threading",
    "time",
}
IMPURE_CALLS = {"now", "utcnow", "today", "uuid1", "uuid4"}


class Module(NamedTuple):
    """A source file: its path from the root of the repository, and its text."""

    path: PurePosixPath
    source: str

    @property
    def layer(self) -> str:
        return self.path.parts[0]

    @property
    def context(self) -> str | None:
        """`devices` for `domain/devices/…` as for `application/devices.py`."""
        name = PurePosixPath(self.path.parts[1]).stem if len(self.path.parts) > 1 else ""
        return name if name in CONTEXTS else None

    @property
    def tree(self) -> ast.Module:
        return ast.parse(self.source, filename=str(self.path))


def modules(*folders: str) -> Iterator[Module]:
    """Every Python file below the folders that exist."""
    for folder in folders:
        for file in sorted((ROOT / folder).rglob("*.py")):
            yield Module(PurePosixPath(file.relative_to(ROOT).as_posix()), file.read_text(encoding="utf-8"))


def vague_name(module: Module) -> Iterator[str]:
    for part in (*module.path.parts[:-1], module.path.stem):
        if part.strip("_") in BANNED_NAMES:
            yield f"{module.path}: `{part}` says nothing about what is inside; name the thing"


def too_long(module: Module) -> Iterator[str]:
    lines = module.source.count("\n")
    if lines > LONGEST and str(module.path) not in LONGER:
        yield f"{module.path}: {lines} lines, more than {LONGEST}; split it, or give the reason in LONGER"


def relative_import(module: Module) -> Iterator[str]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ImportFrom) and node.level:
            yield f"{module.path}:{node.lineno}: relative import; imports are absolute"


def bare_exemption(module: Module) -> Iterator[str]:
    """`# type: ignore[code]  # reason` and `# noqa: CODE  # reason` (or `- reason`): both parts are required."""
    for token in tokenize.generate_tokens(io.StringIO(module.source).readline):
        if token.type is not tokenize.COMMENT or not re.search(r"#\s*(type:\s*ignore|noqa)\b", token.string):
            continue
        if not re.search(r"(type: ignore\[[\w, -]+\]|noqa: [A-Z]+\d+(, ?[A-Z]+\d+)*)\s+(#|-|—)\s*\w", token.string):
            yield f"{module.path}:{token.start[0]}: an exemption needs its code and its reason"


def prints(module: Module) -> Iterator[str]:
    if module.path.is_relative_to("entrypoints/cli") or str(module.path) in PROGRAMS:
        return
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
            yield f"{module.path}:{node.lineno}: print outside the CLI; log it, or return it"


def silent_package(module: Module) -> Iterator[str]:
    if module.path.name == "__init__.py" and not ast.get_docstring(module.tree):
        yield f"{module.path}: a package says in its docstring what lives there"


def foreign_import(module: Module) -> Iterator[str]:
    """Domain and application by an allowlist, where import-linter can only forbid names that it was told."""
    allowed = THIRD_PARTY.get(module.layer)
    if allowed is None:
        return
    for name, line in _imports(module):
        top = name.partition(".")[0]
        if top not in sys.stdlib_module_names and top not in SHIPPED and top not in allowed:
            yield f"{module.path}:{line}: {module.layer} may not use {top}"


def crossed_context(module: Module) -> Iterator[str]:
    """`application.devices` does not reach into `domain.identity`: contexts know each other by id."""
    if module.layer not in ("domain", "application") or module.context is None:
        return
    for name, line in _imports(module):
        layer, _, rest = name.partition(".")
        other = rest.partition(".")[0]
        if layer in ("domain", "application") and other in CONTEXTS and other != module.context:
            yield f"{module.path}:{line}: {module.context} reaches into {name}; they meet in application/policies"


def impurity(module: Module) -> Iterator[str]:
    """Deciding and evolving look at no clock, no random number and no setting."""
    if module.layer != "domain":
        return
    for name, line in _imports(module):
        if name.partition(".")[0] in IMPURE_MODULES:
            yield f"{module.path}:{line}: domain may not use {name}; pass in what it needs"
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call):
            called = getattr(node.func, "attr", getattr(node.func, "id", ""))
            if called in IMPURE_CALLS:
                yield f"{module.path}:{node.lineno}: domain may not call {called}(); pass the value in"


RULES = (
    vague_name,
    too_long,
    relative_import,
    bare_exemption,
    prints,
    silent_package,
    foreign_import,
    crossed_context,
    impurity,
)


def _imports(module: Module) -> Iterator[tuple[str, int]]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            # `from domain import devices` names a module too.
            yield node.module, node.lineno
            if node.module in SHIPPED:
                yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)
