"""Paths as they are sent, and the routes that they lead to."""

import pytest

from entrypoints.paths import Paths, segments_of

PATHS = Paths(["/{device}/metrics", "/devices/{device}/current", "/{name}/last/{duration}", "/{name}/{start}/{end}"])


@pytest.mark.parametrize(
    ("sent", "segments"),
    [
        (b"/1/metrics", ["1", "metrics"]),
        (b"//1//metrics/", ["1", "metrics"]),
        (b"/./1/./metrics", ["1", "metrics"]),
        (b"/2/../1/metrics", ["1", "metrics"]),
        (b"/../../1", ["1"]),
        (b"/a%2Fb/%2E%2E/%41%20", ["a/b", "..", "A "]),
        (b"/%zz/%C3%A9/%FF", ["%zz", "é", "\ufffd"]),
        (b"/", []),
        (b"", []),
    ],
)
def test_a_path_is_cleaned_and_only_then_decoded(sent: bytes, segments: list[str]) -> None:
    assert segments_of(sent) == segments


@pytest.mark.parametrize(
    ("segments", "template", "named"),
    [
        (["1", "metrics"], "/{device}/metrics", {"device": "1"}),
        (["devices", "metrics"], "/{device}/metrics", {"device": "devices"}),
        (["devices", "1", "current"], "/devices/{device}/current", {"device": "1"}),
        (["devices", "1", "2"], "/{name}/{start}/{end}", {"name": "devices", "start": "1", "end": "2"}),
        (["x", "last", "day"], "/{name}/last/{duration}", {"name": "x", "duration": "day"}),
    ],
)
def test_what_stands_there_literally_wins(segments: list[str], template: str, named: dict[str, str]) -> None:
    assert PATHS.find(segments) == (template, named)


@pytest.mark.parametrize("segments", [[], ["1"], ["1", "metric"], ["a", "b", "c", "d"]])
def test_a_path_that_leads_nowhere(segments: list[str]) -> None:
    assert PATHS.find(segments) is None
