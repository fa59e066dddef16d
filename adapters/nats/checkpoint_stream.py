"""The stream PROOF: every signed checkpoint of the log, for whoever keeps them where we cannot reach them."""

from nats.errors import Error as NatsError
from nats.js.errors import NotFoundError

from adapters.nats.connection import NatsConnection
from adapters.nats.stream import API_SECONDS, StreamLimits, copy_config
from adapters.proof.checkpoints import line_of
from adapters.proof.notary import CopyFailedError
from adapters.proof.offline import Checkpoint

STREAM = "PROOF"
SUBJECT = "tidemark.proof.checkpoints"


class CheckpointStream:
    """Fills CheckpointCopy. The sequence of a message is the number of the checkpoint; marks are left out."""

    name = f"the stream {STREAM}"

    def __init__(self, connection: NatsConnection) -> None:
        self._connection = connection

    async def last(self) -> Checkpoint | None:
        if not self._connection.connected:
            raise CopyFailedError("NATS is away")
        try:
            manager = (await self._connection.client()).jetstream(timeout=API_SECONDS)
            try:
                sequence = (await manager.stream_info(STREAM)).state.last_seq
            except NotFoundError:
                return None
            message = await manager.get_msg(STREAM, sequence) if sequence else None
        except (NatsError, TimeoutError) as error:
            raise CopyFailedError(f"{type(error).__name__}: {error}") from None
        return Checkpoint.of_line(message.data) if message and message.data else None

    async def append(self, checkpoint: Checkpoint) -> None:
        try:
            stream = (await self._connection.client()).jetstream(timeout=API_SECONDS)
            if checkpoint.number == 1:
                about = "Every signed checkpoint of the Tidemark log; the sequence is the number of the checkpoint."
                config = copy_config(STREAM, about, SUBJECT, StreamLimits(), checkpoint.log)
                await stream.add_stream(config.evolve(deny_delete=True, deny_purge=True))
            # Two that sign at once, because one does not know yet that it lost the lease, do not copy twice.
            await stream.publish(
                SUBJECT,
                line_of(checkpoint, with_marks=False).encode(),
                headers={"Nats-Expected-Last-Sequence": str(checkpoint.number - 1)},
            )
        except (NatsError, TimeoutError) as error:
            raise CopyFailedError(f"{type(error).__name__}: {error}") from None
