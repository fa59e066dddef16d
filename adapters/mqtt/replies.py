"""What a device says to a question: `{"id","payload"}`."""

from typing import Annotated, NamedTuple
from uuid import UUID

import msgspec


class Reply(NamedTuple):
    """`id` is the question's, `payload` a text as it was, or the text of any other JSON."""

    device_id: UUID
    id: str
    payload: str


class _Body(msgspec.Struct):
    id: Annotated[str, msgspec.Meta(min_length=1)]
    payload: msgspec.Raw = msgspec.Raw(b"null")


_body = msgspec.json.Decoder(_Body)
_text = msgspec.json.Decoder(str)


def reply_of(device_id: UUID, payload: bytes) -> Reply | None:
    """The reply, or None for what is none."""
    try:
        body = _body.decode(payload)
        return Reply(device_id, body.id, _text_of(bytes(body.payload).strip()))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _text_of(payload: bytes) -> str:
    if payload == b"null":
        return ""
    return _text.decode(payload) if payload.startswith(b'"') else payload.decode()
