"""That an event is in the log, for somebody who does not have the log."""

import msgspec

from entrypoints.audit.door import Door
from entrypoints.audit.exchange import AuditExchange, NotFoundError, as_number
from entrypoints.exchange import Answer


async def show_proof(door: Door, exchange: AuditExchange) -> Answer:
    """Checked with `python offline.py --proof` (docs/how-to/prove-the-log.md). Raises NotProvedError and
    LogChangedError."""
    position = as_number(exchange.named["position"], "the position")
    if position > (head := await door.head()):
        raise NotFoundError(f"there is no event at {position}; the log ends at {head}")
    proof = await door.proofs.inclusion_proof(position)
    return Answer(msgspec.json.encode(proof.document()))
