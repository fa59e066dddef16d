"""What a route of this contract is."""

from collections.abc import Callable
from typing import NamedTuple

from entrypoints.connectors import errors
from entrypoints.connectors.door import Door
from entrypoints.connectors.errors import Refusal
from entrypoints.connectors.exchange import ConnectorExchange
from entrypoints.contract_application import Handler
from entrypoints.exchange import Answer


class Route(NamedTuple):
    """`scopes`: one of them is needed, none at all if there are none. `body`: a JSON object is. `subject`: it has to be
    said for whom it is. `answered` makes the answer of what goes wrong."""

    handler: Handler[Door, ConnectorExchange]
    scopes: tuple[str, ...] = ()
    body: bool = False
    subject: bool = False
    answered: Callable[[Refusal], Answer] = errors.answered
