"""Refusals. Each says what to do about it and has a stable code; the doors translate them to their contract."""

from typing import ClassVar


class DomainError(Exception):
    """A command was refused by a rule. Nothing was recorded."""

    code: ClassVar[str] = "domain.refused"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class NotFoundError(DomainError):
    """The thing addressed does not exist, or no longer."""

    code = "domain.not_found"


class AlreadyExistsError(DomainError):
    """The natural key is taken."""

    code = "domain.already_exists"


class InvalidError(DomainError):
    """The command contradicts itself or what it refers to."""

    code = "domain.invalid"
