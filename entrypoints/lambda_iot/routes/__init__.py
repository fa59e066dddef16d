"""The routes of Lambda IoT Core on the main listener. Order of checks: 401, path 400, 404, body 400 (1.3)."""

from litestar import Router

from entrypoints.lambda_iot.door import require_token
from entrypoints.lambda_iot.errors import EXCEPTION_HANDLERS
from entrypoints.lambda_iot.locks import require_token_for_devices
from entrypoints.lambda_iot.routes import (
    accounts,
    commands,
    devices,
    messages,
    parts,
    reading_batch,
    reading_stream,
    readings,
    system,
)

PUBLIC = Router(
    "/",
    route_handlers=[*system.PUBLIC, *accounts.PUBLIC],
    exception_handlers=EXCEPTION_HANDLERS,
)
LOCKABLE = Router(
    "/",
    route_handlers=[*devices.PUBLIC],
    before_request=require_token_for_devices,
    exception_handlers=EXCEPTION_HANDLERS,
)
PROTECTED = Router(
    "/",
    route_handlers=[
        *accounts.PROTECTED,
        *devices.PROTECTED,
        *parts.PROTECTED,
        *readings.PROTECTED,
        *reading_batch.PROTECTED,
        *reading_stream.PROTECTED,
        *commands.PROTECTED,
        *messages.PROTECTED,
    ],
    before_request=require_token,
    exception_handlers=EXCEPTION_HANDLERS,
)
