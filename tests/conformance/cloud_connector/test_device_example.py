"""examples/device.py, as it is documented: it connects, answers, gives way to a newer one, and ends when asked."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

from tests.architecture.rules import ROOT
from tests.conformance.cloud_connector.client import Connector
from tests.conformance.cloud_connector.device import SocketDevice
from tests.waiting import eventually


@contextmanager
def example(connector: Connector, id: str) -> Iterator["subprocess.Popen[str]"]:
    server = connector.url.replace("http", "ws", 1)
    command = [sys.executable, "examples/device.py", "--server", server, "--id", id, "--name", "Lamp"]
    environment = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.terminate()
            process.wait(20)


def test_it_answers_what_it_is_asked(connector: Connector) -> None:
    id = f"lamp-{uuid4().hex[:8]}"
    with example(connector, id) as process:
        eventually(lambda: id in connector.ids(), seconds=30)
        assert connector.ask("command", id, "on").json() == {"response": "done: on", "errors": ""}
        process.terminate()
        assert process.wait(20) == 0
        assert process.stdout is not None
        assert process.stdout.read() == f"connected as {id}\ncommand: on\n"


def test_it_leaves_its_place_to_a_newer_connection(connector: Connector) -> None:
    id = f"lamp-{uuid4().hex[:8]}"
    with example(connector, id) as process:
        eventually(lambda: id in connector.ids(), seconds=30)
        with SocketDevice(connector.url, id) as newer:
            assert process.wait(20) == 0
            assert connector.ask("query", id, "?").json()["response"] == "R:?"
            assert len(newer.heard) == 1
