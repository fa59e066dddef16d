"""What a route of the audit is."""

from collections.abc import Collection, Mapping
from typing import NamedTuple

from entrypoints.audit.door import Door
from entrypoints.audit.exchange import AuditExchange
from entrypoints.contract_application import READING, Handler


class Route(NamedTuple):
    """With the parameters that it knows."""

    handler: Handler[Door, AuditExchange]
    parameters: Collection[str] = ()


def reading(handler: Handler[Door, AuditExchange], parameters: Collection[str] = ()) -> Mapping[str, Route]:
    """All that there is at a path: the audit is only read."""
    return dict.fromkeys(READING, Route(handler, parameters))
