"""One request of this contract and its answer."""

from collections.abc import Mapping
from functools import cached_property
from urllib.parse import parse_qs

from adapters.security.tokens import Pass
from entrypoints.exchange import Exchange

# Of one report. The daemon knows no limit; nobody's metric comes near this one.
LARGEST_REPORT = 8 * 1024 * 1024
# A body that is longer under way is not waited for (contract 1.1).
BODY_SECONDS = 10.0


class MetricExchange(Exchange):
    """`shown` is the token, where one was asked for."""

    shown: Pass | None = None

    @property
    def host(self) -> str | None:
        """The address of the connection."""
        client = self.scope.get("client")
        return client[0] if client else None

    @cached_property
    def query(self) -> Mapping[str, str]:
        """The parameters after the `?`; of two with one name the last."""
        pairs = parse_qs(str(self.scope["query_string"], "latin-1"), keep_blank_values=True, errors="replace")
        return {name: values[-1] for name, values in pairs.items()}

    async def report_body(self) -> bytes:
        """The body of a small request. Raises TooLargeError, TooSlowError and ClientGoneError."""
        return await self.body(LARGEST_REPORT, BODY_SECONDS)
