"""The locks on doors that the contract leaves open: who may register, who may list devices."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

from domain.identifiers import REGISTRY_ID
from domain.identity.registry import REGISTRY
from entrypoints.bearers import token_in
from entrypoints.lambda_iot.door import AnyRequest, claims_in, door_of, require_token
from entrypoints.lambda_iot.errors import NO_CLAIMS, ForbiddenError, UnauthorizedError

USERS_WRITE = "users.write"


@dataclass(frozen=True)
class Locks:
    """As the settings have them."""

    registration: Literal["open", "first", "closed"] = "open"
    public_device_list: bool = True


class Admission(NamedTuple):
    """On which terms somebody may register. With `refusal` only if nobody has before; else that is what to say."""

    actor: str | None = None
    refusal: ForbiddenError | UnauthorizedError | None = None


async def admit(request: AnyRequest) -> Admission:
    """Raises ForbiddenError or UnauthorizedError when it is clear already that this cannot be."""
    door = door_of(request)
    if door.locks.registration == "closed":
        raise ForbiddenError("registration is closed")
    if door.locks.registration == "open":
        return Admission()
    if token_in(request.headers.get("authorization")) is None:
        admission = Admission(refusal=UnauthorizedError(NO_CLAIMS))
    else:
        claims = await claims_in(request)
        if USERS_WRITE in claims.scopes:
            return Admission(actor=f"user:{claims.user_id}")
        admission = Admission(refusal=ForbiddenError("forbidden"))
    if admission.refusal and await door.executor.find(REGISTRY, REGISTRY_ID):
        # The decision will say so anyway; asking first saves hashing a password for nothing.
        raise admission.refusal
    return admission


async def require_token_for_devices(request: AnyRequest) -> None:
    """Before the list of devices, which is public unless the operator says otherwise."""
    if not door_of(request).locks.public_device_list:
        await require_token(request)
