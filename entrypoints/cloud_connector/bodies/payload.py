"""What a device is given of the body of a request (contract devices 1.1, R9, R10). Nothing is refused."""

from typing import Any, Literal

import msgspec

_decode = msgspec.json.Decoder().decode


def payload_of(body: bytes, mode: Literal["raw", "field"]) -> str:
    """The whole body as it came, or only the text in its field `payload` where it has one. Bytes that are no UTF-8
    become replacement characters."""
    text = body.decode(errors="replace")
    if mode == "raw":
        return text
    try:
        fields: Any = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return text
    payload = fields.get("payload") if isinstance(fields, dict) else None
    return payload if isinstance(payload, str) else text
