"""Accounts and tokens."""

from entrypoints.lambda_iot.openapi.pieces import Paths, Piece, body, exactly, json, operation, written
from entrypoints.lambda_iot.openapi.schemas import ANY_TEXT, UUID

_USERNAME: Piece = {"type": "string", "minLength": 3, "maxLength": 50, "description": "Unique in any capitals."}
_PASSWORD: Piece = {"type": "string", "minLength": 6, "maxLength": 1024}
_GIVEN: Piece = {"type": "string", "minLength": 1}

PATHS: Paths = {
    "/register": {
        "post": operation(
            "register",
            "Make an account",
            tag="Accounts",
            token=False,
            description="Where only the first account is free, others need a token with the scope `users.write` (401, "
            "403); where registration is closed, nobody registers (403).",
            takes=body(
                {"username": _USERNAME, "password": _PASSWORD},
                {"email": ANY_TEXT},
                {"username": "admin", "password": "secret123"},
            ),
            answers={"201": written(exactly({"id": UUID, "username": ANY_TEXT}), "The account can log in.")},
            refusals="401 403 409",
        )
        | {"security": [{}, {"bearer": []}]}
    },
    "/login": {
        "post": operation(
            "login",
            "Get a token for 24 hours",
            tag="Accounts",
            token=False,
            description="An unknown user and a wrong password are answered alike. After twenty failures in a minute, "
            "of one user or from one source, 429 for a minute whatever the password.",
            takes=body(
                {"username": _GIVEN, "password": _GIVEN}, example={"username": "admin", "password": "secret123"}
            ),
            answers={"200": json(exactly({"token": {"type": "string", "pattern": r"^[^.]+\.[^.]+\.[^.]+$"}}))},
            refusals="401 429",
        )
    },
    "/protected": {
        "get": operation(
            "protected",
            "What the token says",
            tag="Accounts",
            answers={
                "200": json(
                    exactly(
                        {
                            "claims": exactly(
                                {
                                    "sub": {**ANY_TEXT, "description": "The username."},
                                    "user_id": UUID,
                                    "exp": {"type": "integer", "description": "When it expires, in unix seconds."},
                                }
                            )
                        }
                    )
                )
            },
        )
    },
}
