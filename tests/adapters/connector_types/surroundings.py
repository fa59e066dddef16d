"""What connector types are given in tests: loopback, and things that are in a dictionary."""

from collections.abc import Mapping
from ipaddress import ip_network
from typing import NamedTuple
from uuid import UUID

from adapters.connector_types.surroundings import Surroundings
from adapters.outgoing import Outgoing
from adapters.security.codes import ConsentCodes

CODES = ConsentCodes("a key of the tests")


class KnownThing(NamedTuple):
    owner: str
    subject: str


class KnownValue(NamedTuple):
    value: str


class KnownThings:
    """Fills Things."""

    def __init__(self) -> None:
        self.things: dict[UUID, KnownThing] = {}
        self.told: dict[UUID, dict[tuple[str, str], KnownValue]] = {}

    async def find(self, id: UUID) -> KnownThing | None:
        return self.things.get(id)

    async def values(self, thing_id: UUID) -> Mapping[tuple[str, str], KnownValue]:
        return self.told.get(thing_id, {})


def surroundings_for(
    public_url: str = "", own_url: str = "http://127.0.0.1:1", things: KnownThings | None = None, network: str = ""
) -> Surroundings:
    outgoing = Outgoing([ip_network(network or "127.0.0.0/8")])
    return Surroundings(CODES, outgoing, things or KnownThings(), own_url, public_url)
