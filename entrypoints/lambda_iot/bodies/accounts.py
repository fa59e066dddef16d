"""Accounts."""

from domain.value import Value
from entrypoints.lambda_iot.fields import json_object, optional_text, text


class RegisterUserBody(Value):
    username: str
    password: str
    email: str | None


class LoginBody(Value):
    username: str
    password: str


def register_user_body(body: bytes) -> RegisterUserBody:
    fields = json_object(body)
    return RegisterUserBody(
        username=text(fields, "username", shortest=3, longest=50),
        password=text(fields, "password", shortest=6, longest=1024),
        email=optional_text(fields, "email"),
    )


def login_body(body: bytes) -> LoginBody:
    fields = json_object(body)
    return LoginBody(username=text(fields, "username"), password=text(fields, "password"))
