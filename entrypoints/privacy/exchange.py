"""One request of this contract."""

from adapters.security.tokens import Claims
from domain.event import Origin
from entrypoints.correlation import correlation_id
from entrypoints.exchange import Exchange


class PrivacyExchange(Exchange):
    """`claims` are those of whoever was let in."""

    claims: Claims

    @property
    def origin(self) -> Origin:
        return Origin(actor=f"user:{self.claims.user_id}", source="http", correlation_id=correlation_id())
