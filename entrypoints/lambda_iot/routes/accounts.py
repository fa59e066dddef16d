"""Accounts and tokens."""

from litestar import Response, get, post

from application.identity import RegisterUser
from domain.errors import AlreadyExistsError
from domain.identifiers import user_id
from domain.identity.registry import NotFirstError
from domain.identity.user import USER
from entrypoints.lambda_iot.bodies.accounts import login_body, register_user_body
from entrypoints.lambda_iot.door import AnyRequest, claims_of, door_of
from entrypoints.lambda_iot.errors import INVALID_CREDENTIALS, UnauthorizedError
from entrypoints.lambda_iot.locks import admit
from entrypoints.lambda_iot.views import answer
from entrypoints.logins import LoginFailedError, by


@post("/register")
async def register(request: AnyRequest) -> Response[bytes]:
    """201 with id and username; 409 when the name is taken in any capitals; 401 and 403 where not everybody may."""
    door = door_of(request)
    admission = await admit(request)
    asked = register_user_body(await request.body())
    id = user_id(asked.username)
    if await door.executor.find(USER, id) is not None:
        # The decision will say so anyway; asking first saves hashing a password for nothing.
        raise AlreadyExistsError("The username is taken.")
    command = RegisterUser(
        username=asked.username,
        password_hash=await door.passwords.hash(asked.password),
        email=asked.email,
        only_first=admission.refusal is not None,
    )
    try:
        receipt = await door.executor.execute(command, by(admission.actor or f"user:{id}"))
    except NotFirstError:
        if admission.refusal is None:
            raise
        raise admission.refusal from None
    return answer({"id": id, "username": asked.username}, 201, receipt.position)


@post("/login", status_code=200)
async def login(request: AnyRequest) -> Response[bytes]:
    """A token for 24 hours. Unknown name and wrong password take the same time and give the same answer; 429 after too
    many of them, whatever the password."""
    asked = login_body(await request.body())
    host = request.client.host if request.client else None
    try:
        token = await door_of(request).logins.log_in(asked.username, asked.password, host)
    except LoginFailedError:
        raise UnauthorizedError(INVALID_CREDENTIALS) from None
    return answer({"token": token})


@get("/protected")
async def protected(request: AnyRequest) -> Response[bytes]:
    claims = claims_of(request)
    return answer({"claims": {"sub": claims.sub, "user_id": claims.user_id, "exp": claims.exp}})


PUBLIC = (register, login)
PROTECTED = (protected,)
