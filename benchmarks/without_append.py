"""`tidemark serve` with one thing left out: the append. What is left is what HTTP itself costs here."""

import sys
from collections.abc import Collection, Sequence
from uuid import UUID

from adapters.eventstore.log import PostgresEventLog
from application.ports import Appended, NewEvent
from entrypoints.cli import main


async def _no_append(
    _: PostgresEventLog, events: Sequence[NewEvent], after: int, looked_at: Collection[UUID]
) -> Appended:
    return Appended(after + 1, after + len(events), ())


if __name__ == "__main__":
    PostgresEventLog.append = _no_append  # type: ignore[assignment,method-assign]  # this is the experiment
    sys.argv[1:] = ["serve"]
    main()
