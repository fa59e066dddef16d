"""That the server is there, and what it can do."""

from functools import cache

import msgspec
from litestar import Response, get

from entrypoints.lambda_iot.errors import JSON
from entrypoints.lambda_iot.openapi.document import document
from entrypoints.lambda_iot.views import answer


@get("/health")
async def health() -> Response[bytes]:
    return answer({"status": "ok"})


@get("/hello")
async def hello() -> Response[bytes]:
    return answer({"message": "hello from lambdaiot"})


@get("/openapi.json")
async def openapi() -> Response[bytes]:
    """The OpenAPI document of all routes of this contract."""
    return Response(_document(), media_type=JSON)


@cache
def _document() -> bytes:
    return msgspec.json.encode(document())


PUBLIC = (health, hello, openapi)
