"""Where apps of old had actions sent to. We know ourselves who takes them; both calls are answered and change nothing
(contract connectors 2.4)."""

from entrypoints.connectors import errors
from entrypoints.connectors.door import Door
from entrypoints.connectors.errors import RefusedError
from entrypoints.connectors.exchange import ConnectorExchange, shown
from entrypoints.exchange import Answer


async def show_callback_url(_: Door, exchange: ConnectorExchange) -> Answer:
    return shown({"href": exchange.href(f"/connectors/actions/{exchange.claims.user_id}")})


async def register_callback(_: Door, exchange: ConnectorExchange) -> Answer:
    url = exchange.sent.get("CallbackUrl", exchange.sent.get("callbackUrl"))
    if not isinstance(url, str) or not url:
        raise RefusedError(errors.BAD_REQUEST.saying("CallbackUrl: is missing"))
    return shown({})
