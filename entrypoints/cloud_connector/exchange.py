"""One request of this contract and its answer."""

from adapters.security.tokens import Claims
from entrypoints.exchange import Exchange


class ConnectorExchange(Exchange):
    """`device` is what the path names, `claims` what the token says, if there is one; `asks` says that errors are
    answered as those of commands and queries."""

    device = ""
    claims: Claims | None = None
    asks = False
