"""`tidemark replay`: how it ends."""

import os
import signal
import subprocess
from pathlib import Path

from adapters.analytics.replay import READ
from tests.product import ROOT, TIDEMARK, descendants_running, environment
from tests.projections.history import append, discovered, measured, sensor_added
from tests.waiting import eventually


def test_a_process_that_ends_by_itself_is_said_so_behind_the_progress(database_url: str, tmp_path: Path) -> None:
    # More than fits between the two processes is behind what it has read.
    append(database_url, discovered(), sensor_added(), *(measured((1.5, None)) for _ in range(READ + 1_000)))
    rule = tmp_path / "rule.py"
    rule.write_text("def evolve(state, event):\n    while True: pass")
    ours, terminal = os.openpty()
    with subprocess.Popen(
        [*TIDEMARK, "replay", "--rule", rule],
        cwd=ROOT,
        env={**environment(), "TIDEMARK_DATABASE_URL": database_url},
        stderr=terminal,
    ) as replaying:
        os.close(terminal)
        progress = os.read(ours, 1_000).decode()
        (runner,) = eventually(lambda: descendants_running("adapters.analytics.rule_runner", replaying.pid))
        os.kill(runner, signal.SIGKILL)
        assert replaying.wait(20) == 1
    assert f"position {READ} of {READ + 1_002}" in progress
    assert os.read(ours, 1_000).decode().splitlines() == [
        "",
        "Its process ended by itself (SIGKILL), probably because this machine is short of memory: try again shortly",
    ]
    os.close(ours)
