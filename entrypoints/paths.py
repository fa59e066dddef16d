"""From the path of a request, as it was sent, to the route, for contracts on bare ASGI (contract metrics 1.1)."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple
from urllib.parse import unquote_to_bytes


class Found(NamedTuple):
    """`named` is what the path has where the template has names."""

    template: str
    named: Mapping[str, str]


class _Node:
    """What may follow. The one parameter that may is told apart by its place alone."""

    __slots__ = ("literal", "name", "parameter", "template")

    def __init__(self) -> None:
        self.literal: dict[str, _Node] = {}
        self.parameter: _Node | None = None
        self.template = ""


class Paths:
    """Finds routes by their templates, `/devices/{device}/metrics/current`. What stands there literally wins over
    what has a name."""

    def __init__(self, templates: Iterable[str]) -> None:
        self._root = _Node()
        for template in templates:
            node = self._root
            for segment in template.split("/")[1:]:
                if segment.startswith("{"):
                    node.parameter = node.parameter or _Node()
                    node = node.parameter
                else:
                    node = node.literal.setdefault(segment, _Node())
            node.template = template

    def find(self, segments: list[str]) -> Found | None:
        node = _walk(self._root, segments, 0)
        if node is None:
            return None
        names = node.template.split("/")[1:]
        named = {name[1:-1]: text for name, text in zip(names, segments, strict=True) if name.startswith("{")}
        return Found(node.template, named)


def segments_of(raw_path: bytes) -> list[str]:
    """The path, cleaned as the daemon does it (`//1//metrics`, `/1/metrics/`, `/./1/metrics`, `/2/../1/metrics`) and
    only then decoded, so that a name may hold what has a meaning in a path."""
    kept: list[bytes] = []
    for segment in raw_path.split(b"/"):
        if segment == b"..":
            del kept[-1:]
        elif segment and segment != b".":
            kept.append(segment)
    return [_decoded(segment) for segment in kept]


def _decoded(segment: bytes) -> str:
    return (unquote_to_bytes(segment) if b"%" in segment else segment).decode(errors="replace")


def _walk(node: _Node, segments: list[str], at: int) -> _Node | None:
    if at == len(segments):
        return node if node.template else None
    if (literal := node.literal.get(segments[at])) is not None and (found := _walk(literal, segments, at + 1)):
        return found
    return _walk(node.parameter, segments, at + 1) if node.parameter else None
