"""What goes over a device's WebSocket (contract 2.2): questions to the device, its answers, and everything else."""

from time import time
from typing import NamedTuple

import msgspec

from application.ports import Question


class Answer(NamedTuple):
    """A device's answer to the question `id`."""

    id: str
    payload: str


class _Message(msgspec.Struct):
    id: str
    payload: msgspec.Raw = msgspec.Raw(b"null")


def encode(question: Question) -> str:
    message = {
        "id": str(question.id),
        "type": question.kind,
        "payload": question.payload,
        "timestamp": int(time()),
    }
    return msgspec.json.encode(message).decode()


def answer(message: str | bytes) -> Answer | None:
    """The answer that the message is, if it is one: an object with an id. A payload that is no string becomes its
    JSON text, as the device wrote it."""
    try:
        heard = _decode(message)
        payload = bytes(heard.payload)
        if payload == b"null":
            text = ""
        elif payload.startswith(b'"'):
            text = msgspec.json.decode(payload, type=str)
        else:
            text = payload.decode()
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None  # plain text, or JSON that answers nothing: an ordinary message
    return Answer(heard.id, text) if heard.id else None


_decode = msgspec.json.Decoder(_Message).decode
