"""What a route of the audit is."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import NamedTuple

from entrypoints.audit.door import Door
from entrypoints.audit.exchange import AuditExchange
from entrypoints.exchange import Answer

Handler = Callable[[Door, AuditExchange], Awaitable[Answer | None]]
"""None: it has answered by itself."""


class Route(NamedTuple):
    """A GET, with the parameters that it knows."""

    handler: Handler
    parameters: Collection[str] = ()


Routes = Mapping[str, Route]
"""By path."""
