"""Signing the log, put together from settings."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from adapters.eventstore.lease import Lease
from adapters.nats.checkpoint_stream import CheckpointStream
from adapters.nats.connection import NatsConnection
from adapters.proof.checkpoint_file import CheckpointFile
from adapters.proof.ledger import Ledger
from adapters.proof.notary import CheckpointCopy, Notary
from adapters.proof.signing import SigningKey
from application.ports import Clock
from entrypoints.settings import Settings

logger = logging.getLogger("tidemark.proof")


@asynccontextmanager
async def signing(
    settings: Settings, nats: NatsConnection, clock: Clock
) -> AsyncIterator[Mapping[str, Callable[[], Awaitable[None]]]]:
    """The task that signs the log, if there is a key. On leaving, what was appended last is signed."""
    if not settings.proof_key:
        logger.warning("the log is not signed, so `tidemark verify` can prove nothing: TIDEMARK_PROOF_KEY is not set")
        yield {}
        return
    url, most = settings.database_url, settings.proof_events
    copies: list[CheckpointCopy] = [CheckpointStream(nats)]
    if settings.proof_dir:
        copies.insert(0, CheckpointFile(Path(settings.proof_dir)))
    ledger = Ledger(url, SigningKey(settings.proof_key), clock, most)
    notary = Notary(ledger, Lease(url, "proof"), copies, most, settings.proof_seconds)
    try:
        yield {"proof of the log": notary.run}
    finally:
        await notary.conclude()
