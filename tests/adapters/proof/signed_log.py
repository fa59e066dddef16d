"""A log with events of several kinds, signed in several checkpoints, that a test may spoil."""

import base64
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import msgspec
import psycopg

from adapters.eventstore.mapper import Mapper
from adapters.proof import offline
from adapters.proof.export import export_log
from adapters.proof.ledger import Ledger
from adapters.proof.offline import Checkpoint, Wrong
from adapters.proof.signing import SigningKey
from adapters.proof.verifying import Verified, verify
from application.ports import NewEvent
from domain.catalogue import CATALOGUE
from domain.devices.device import DeviceConnected
from domain.event import Envelope, Event
from domain.identifiers import partition_id
from domain.streams.partition import MessagesProduced

SEED = base64.b64encode(sha256(b"a test").digest()).decode()
KEY = SigningKey(SEED)
AT = datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)
_IDS = UUID("6f1f1a3e-3f0e-4b0e-9a55-7f1f4b8f9c11")
NAME = "orders"


@dataclass
class SignedLog:
    url: str
    directory: Path
    mapper: Mapper = field(default_factory=lambda: Mapper(CATALOGUE))

    def ledger(self, most: int = 10, most_bytes: int = 1_000_000) -> Ledger:
        return Ledger(self.url, KEY, lambda: AT, most, most_bytes)

    def fill(self, events: int) -> None:
        """Every third event is one with values."""
        with self.connection() as connection:
            (head,) = connection.execute("SELECT coalesce(max(notification_id), 0) FROM events").fetchone() or (0,)
            for position in range(head + 1, head + events + 1):
                self.insert(connection, position, *self._event(position))

    def insert(self, connection: psycopg.Connection[Any], position: int, stream: UUID, event: Event) -> None:
        found = connection.execute("SELECT count(*) FROM events WHERE originator_id = %s", (stream,)).fetchone()
        version = (found[0] if found else 0) + 1
        # Texts that a careless search for the values, or for what stands behind them, would mistake.
        cause = ']},"causation_id":"' + str(position) if position % 2 else None
        envelope = Envelope(
            id=uuid5(_IDS, str(position)),
            at=AT + timedelta(seconds=position),
            actor='user:"values":[]',
            source="http",
            correlation_id=',"values":[1]}}',
            causation_id=cause,
        )
        state = self.mapper.encode(NewEvent(stream, version, event, envelope))
        row = (stream, version, event.topic, state, position)
        connection.execute("INSERT INTO events VALUES (%s, %s, %s, %s, %s)", row)

    def _event(self, position: int) -> tuple[UUID, Event]:
        if position % 3:
            return uuid5(_IDS, str(position % 5)), DeviceConnected(through=f"road {position}")
        entry = position // 3
        event = MessagesProduced(
            name=NAME,
            partition=0,
            entry=entry,
            offset=2 * (entry - 1),
            count=2,
            values=msgspec.Raw(b'[{"a": "]},\\"causation_id\\":\\"x"},\n%d]' % position),
        )
        return partition_id(NAME, 0), event

    def sign(self, most: int = 10) -> list[Checkpoint]:
        ledger, made = self.ledger(most), list[Checkpoint]()
        while checkpoint := ledger.extend():
            made.append(checkpoint)
        return made

    @contextmanager
    def connection(self) -> Iterator[psycopg.Connection[Any]]:
        with psycopg.connect(self.url) as connection:
            yield connection

    def execute(self, *statements: str) -> None:
        with self.connection() as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def verify(self, **options: Any) -> Verified:
        return verify(self.url, [KEY.public_key], **options)

    def wrong(self, **options: Any) -> tuple[int, str]:
        """The first wrong position, and the word for what is wrong with it."""
        try:
            self.verify(**options)
        except Wrong as wrong:
            return wrong.position, wrong.what.partition(":")[0]
        return 0, ""

    def export(self, checkpoints: bool = True) -> None:
        """The log as it is now; the checkpoints stay those that were written first."""
        export_log(self.url, self.exported, self.checkpoints if checkpoints else None)

    @property
    def exported(self) -> Path:
        return self.directory / "log.jsonl.gz"

    @property
    def checkpoints(self) -> Path:
        return self.directory / "checkpoints.jsonl"

    def offline(self, *options: str) -> tuple[int, str]:
        return run_alone(self.exported, self.checkpoints, *options)


def run_alone(*arguments: str | Path) -> tuple[int, str]:
    """Exit status and output of the file by itself, without any package but the standard library's."""
    command = [sys.executable, "-I", "-S", offline.__file__, *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert not result.stderr, result.stderr
    return result.returncode, result.stdout
