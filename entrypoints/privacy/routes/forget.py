"""Forgetting a person: a user, or a subject of whoever owns a connector."""

from uuid import UUID

import msgspec

from application.policies.forgetting import Forgotten
from entrypoints.exchange import Answer
from entrypoints.privacy.door import Door
from entrypoints.privacy.errors import BadRequestError
from entrypoints.privacy.exchange import PrivacyExchange

LARGEST = 64 * 1024
BODY_SECONDS = 10.0


class ForgetBody(msgspec.Struct, forbid_unknown_fields=True):
    """Either a username, or a subject, whose owner is the user of that id, or else whoever asks."""

    username: str | None = None
    subject: str | None = None
    owner: UUID | None = None


class ForgottenView(msgspec.Struct, omit_defaults=True):
    """`position` is that of the event; absent where the person had been forgotten before."""

    shown_as: str
    position: int = 0


async def forget(door: Door, exchange: PrivacyExchange) -> Answer:
    """200 when no read model names the person any more; 202 when that is going to be so in a moment."""
    asked = await exchange.json_body(ForgetBody, LARGEST, BODY_SECONDS)
    done = await _forget(door, exchange, asked)
    view = ForgottenView(shown_as=done.shown_as, position=done.position)
    return Answer(msgspec.json.encode(view), 200 if done.everywhere else 202)


async def _forget(door: Door, exchange: PrivacyExchange, asked: ForgetBody) -> Forgotten:
    match asked:
        case ForgetBody(username=str(username), subject=None, owner=None):
            return await door.forgetting.forget_user(username, exchange.origin)
        case ForgetBody(username=None, subject=str(subject)):
            owner = asked.owner or exchange.claims.user_id
            return await door.forgetting.forget_subject(str(owner), subject, exchange.origin)
    raise BadRequestError("The body names either a `username`, or a `subject` and perhaps its `owner`")
