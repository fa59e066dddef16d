"""The application of this contract, which is the main listener's."""

from typing import Any

from litestar import Litestar
from litestar.datastructures import MutableScopeHeaders, State
from litestar.enums import ScopeType
from litestar.routes import HTTPRoute
from litestar.types import Message, Scope

from entrypoints.lambda_iot.door import Door
from entrypoints.lambda_iot.errors import EXCEPTION_HANDLERS
from entrypoints.lambda_iot.routes import LOCKABLE, PROTECTED, PUBLIC

LARGEST_BODY = 1024 * 1024


def lambda_iot(door: Door) -> Litestar:
    app = Litestar(
        route_handlers=[PUBLIC, LOCKABLE, PROTECTED],
        exception_handlers=EXCEPTION_HANDLERS,
        state=State({"lambda_iot": door}),
        request_max_body_size=LARGEST_BODY,
        openapi_config=None,
        logging_config=None,
    )
    app.before_send.append(_tell_all_methods(app))
    return app


def _tell_all_methods(app: Litestar) -> Any:
    """Completes what Litestar answers to OPTIONS: the methods of only the first handler that it met at the path."""
    allowed = {
        route.path_format: ", ".join(sorted(route.methods)) for route in app.routes if isinstance(route, HTTPRoute)
    }

    async def tell(message: Message, scope: Scope) -> None:
        if scope["type"] != ScopeType.HTTP or scope["method"] != "OPTIONS":
            return
        if message["type"] == "http.response.start":
            headers = MutableScopeHeaders.from_message(message)
            if "allow" in headers and (methods := allowed.get(scope.get("path_template", ""))):
                headers["allow"] = methods

    return tell
