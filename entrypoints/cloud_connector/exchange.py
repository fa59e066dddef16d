"""One request of this contract and its answer."""

from adapters.security.tokens import Claims
from entrypoints.exchange import Exchange
from entrypoints.operations.pages import Receive, Scope, Send


class ConnectorExchange(Exchange):
    """`device` is what the path names, `claims` what the token says, if there is one; `asks` says that errors are
    answered as those of commands and queries."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        super().__init__(scope, receive, send)
        self.device = ""
        self.claims: Claims | None = None
        self.asks = False
