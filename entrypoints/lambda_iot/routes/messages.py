"""The `state:` store."""

from litestar import Response, get

from entrypoints.lambda_iot import fields
from entrypoints.lambda_iot.door import AnyRequest, door_of
from entrypoints.lambda_iot.errors import BadRequestError
from entrypoints.lambda_iot.views import message_page, read


@get("/messages")
async def list_messages(request: AnyRequest) -> Response[bytes]:
    """`include=topic`, ours, adds the topic to the documented keys."""
    door = door_of(request)
    page = fields.query_page(request.query_params)
    include = request.query_params.get("include")
    if include not in (None, "topic"):
        raise BadRequestError("invalid include")
    seen = await door.positions.fresh("state_messages")
    return read(message_page(await door.messages.list(page), with_topic=include == "topic"), seen)


PROTECTED = (list_messages,)
