"""Proving to somebody who does not have the log that an event is in it."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from adapters.proof.checkpoints import connected, covering, line_of
from adapters.proof.offline import Checkpoint, level_above, root_of
from adapters.proof.rows import leaves_of, raw_rows


class NotProvedError(Exception):
    """No checkpoint covers the position: it is not written yet, or not signed yet, which takes a minute."""

    code = "audit.not_proved"

    def __init__(self, position: int) -> None:
        super().__init__(f"no checkpoint covers position {position} yet; ask again after the next one")
        self.position = position


class LogChangedError(Exception):
    """The events are not those that were signed: `tidemark verify` says which."""

    code = "audit.log_changed"

    def __init__(self, checkpoint: Checkpoint) -> None:
        super().__init__(
            f"the events from position {checkpoint.first} to {checkpoint.last} are not those of checkpoint"
            f" {checkpoint.number}: run `tidemark verify`"
        )


@dataclass(frozen=True)
class InclusionProof:
    """`path` leads from the leaf to the root of the checkpoint, which is signed (RFC 6962, section 2.1.1)."""

    position: int
    leaf: bytes
    path: Sequence[bytes]
    checkpoint: Checkpoint

    def document(self) -> dict[str, Any]:
        """What `check_inclusion` in `offline.py` checks, as JSON has it."""
        return {
            "position": self.position,
            "leaf": self.leaf.hex(),
            "path": [node.hex() for node in self.path],
            "checkpoint": json.loads(line_of(self.checkpoint, with_marks=False)),
        }


class InclusionProofs:
    """Answers from the log and the table of checkpoints; a proof costs hashing the events of one checkpoint."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def inclusion_proof(self, position: int) -> InclusionProof:
        """Raises NotProvedError, LogChangedError, LogUnavailableError."""
        return await asyncio.to_thread(self._proof, position)

    def _proof(self, position: int) -> InclusionProof:
        with connected(self._url) as connection:
            checkpoint = covering(connection, position) if position > 0 else None
            if checkpoint is None:
                raise NotProvedError(position)
            leaves = leaves_of(raw_rows(connection, checkpoint.first - 1, checkpoint.last))
        if len(leaves) != checkpoint.size or root_of(leaves) != checkpoint.root:
            raise LogChangedError(checkpoint)
        index = position - checkpoint.first
        return InclusionProof(position, leaves[index], path_of(index, leaves), checkpoint)


def path_of(index: int, leaves: Sequence[bytes]) -> list[bytes]:
    """The audit path of a leaf, from the leaf upwards."""
    path, level = [], leaves
    while len(level) > 1:
        if (beside := index ^ 1) < len(level):
            path.append(level[beside])
        index, level = index >> 1, level_above(level)
    return path
