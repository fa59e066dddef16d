"""What the built-in connector types are given of the process that they run in."""

from collections.abc import Mapping
from typing import NamedTuple, Protocol
from uuid import UUID

from adapters.outgoing import Outgoing
from adapters.security.codes import ConsentCodes


class Thing(Protocol):
    @property
    def owner(self) -> str: ...

    @property
    def subject(self) -> str: ...


class Value(Protocol):
    @property
    def value(self) -> str: ...


class Things(Protocol):
    """Filled by `projections.connectors.thing_queries`."""

    async def find(self, id: UUID) -> Thing | None: ...

    async def values(self, thing_id: UUID) -> Mapping[tuple[str, str], Value]:
        """By component and property."""


class Surroundings(NamedTuple):
    """`outgoing` reaches what may be reached, `things` are all there are. `own_url` is where the main API answers
    inside, `public_url` where it is reached from outside, empty if nobody said so: addresses then begin with the path.
    """

    codes: ConsentCodes
    outgoing: Outgoing
    things: Things
    own_url: str
    public_url: str = ""
