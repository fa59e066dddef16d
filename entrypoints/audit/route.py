"""What a route of the audit is."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import NamedTuple

from entrypoints.audit.door import Door
from entrypoints.audit.exchange import AuditExchange
from entrypoints.contract_application import READING
from entrypoints.exchange import Answer

Handler = Callable[[Door, AuditExchange], Awaitable[Answer | None]]
"""None: it has answered by itself."""


class Route(NamedTuple):
    """With the parameters that it knows."""

    handler: Handler
    parameters: Collection[str] = ()


Routes = Mapping[str, Mapping[str, Route]]
"""By path and method."""


def reading(handler: Handler, parameters: Collection[str] = ()) -> Mapping[str, Route]:
    """All that there is at a path: the audit is only read."""
    return dict.fromkeys(READING, Route(handler, parameters))
