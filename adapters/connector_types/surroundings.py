"""What the built-in connector types are given of the process that they run in."""

from typing import NamedTuple

from adapters.outgoing import Outgoing
from adapters.security.codes import ConsentCodes


class Surroundings(NamedTuple):
    """`outgoing` reaches what may be reached. `own_url` is where the main API answers inside, `public_url` where it is
    reached from outside, empty if nobody said so: addresses then begin with the path."""

    codes: ConsentCodes
    outgoing: Outgoing
    own_url: str
    public_url: str = ""
