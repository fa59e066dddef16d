"""What the built-in connector types are given of the process that they run in."""

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network
from typing import NamedTuple

from adapters.security.codes import ConsentCodes


class Surroundings(NamedTuple):
    """`networks` may be reached, no others. `own_url` is where the main API answers inside, `public_url` where it is
    reached from outside, empty if nobody said so: addresses then begin with the path."""

    codes: ConsentCodes
    networks: Sequence[IPv4Network | IPv6Network]
    own_url: str
    public_url: str = ""
