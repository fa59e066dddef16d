"""Tokens: for whoever develops, and for whoever logs in (contract metrics 1.2 and 3.1)."""

from datetime import timedelta
from typing import Any

from entrypoints.exchange import Answer
from entrypoints.metric_reporting.bodies.first_value import NotJsonError, first_value
from entrypoints.metric_reporting.door import Door
from entrypoints.metric_reporting.errors import unparsable
from entrypoints.metric_reporting.exchange import MetricExchange
from entrypoints.metric_reporting.views import JSON, json_body

LONGEST = timedelta(days=3650)
_LIFETIME = timedelta(hours=24)


async def make_token(door: Door, exchange: MetricExchange) -> Answer:
    """A token that says nothing but when it ends, for nothing. `expires_in` is in nanoseconds."""
    fields = await _object(exchange)
    lifetime = _LIFETIME
    if (asked := fields.get("expires_in")) is not None:
        if type(asked) is not int:
            raise unparsable("expires_in must be a whole number of nanoseconds")
        lifetime = timedelta(microseconds=min(asked // 1000, LONGEST // timedelta(microseconds=1)))
    return Answer(json_body({"status": 200, "token": door.tokens.issue_pass(lifetime)}), type=JSON)


async def sign_in(door: Door, exchange: MetricExchange) -> Answer:
    """Our accounts, for clients that log in as the visualisation app lets them: the token is in a header."""
    user = (await _object(exchange)).get("user")
    login, password = (user.get("login"), user.get("password")) if isinstance(user, dict) else (None, None)
    if not isinstance(login, str) or not isinstance(password, str):
        raise unparsable("user.login and user.password must be strings")
    token = await door.logins.log_in(login, password, exchange.host)
    headers = ((_AsWritten(b"Authorization"), f"Bearer {token}".encode()), (b"cache-control", b"no-store"))
    return Answer(json_body({"login": login}), headers=headers, type=JSON)


class _AsWritten(bytes):
    """A header's name that the server does not write in small letters: a script that clients use looks for the line
    that begins with `Authorization: `."""

    __slots__ = ()

    def lower(self) -> bytes:
        return self


async def _object(exchange: MetricExchange) -> dict[str, Any]:
    """An empty body is an empty object."""
    body = await exchange.report_body()
    try:
        fields = first_value(body) if body.strip() else {}
    except NotJsonError as wrong:
        raise unparsable(str(wrong)) from None
    if not isinstance(fields, dict):
        raise unparsable("the body must be an object")
    return fields
