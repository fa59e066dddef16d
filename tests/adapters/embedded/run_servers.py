"""A process that runs both servers until it is killed.

    python -m tests.adapters.embedded.run_servers DIRECTORY [IDENTITY]

Prints a line of JSON when they are ready: {"postgres": URL, "nats": URL, "pids": [postmaster, nats-server]}.
"""

import json
import signal
import sys
from pathlib import Path

from adapters.embedded import identity
from adapters.embedded.nats import EmbeddedNats
from adapters.embedded.postgres import EmbeddedPostgres

if __name__ == "__main__":
    directory, *wanted = sys.argv[1:]
    if wanted:
        identity._candidates = lambda owned: iter(wanted)
    with (
        EmbeddedPostgres(Path(directory) / "postgres") as postgres,
        EmbeddedNats(Path(directory) / "nats") as nats,
    ):
        print(
            json.dumps({"postgres": postgres.url, "nats": nats.url, "pids": [postgres.pid, nats.pid]}),
            flush=True,
        )
        signal.pause()
