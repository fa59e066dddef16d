"""What goes wrong, in this contract's words (contract connectors 2.3). The status in a body is a text."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from adapters.security.tokens import InvalidTokenError
from application.connectors.configuration import ConfigurationInvalidError
from application.connectors.connector_type import ThingStaysError
from application.connectors.line import WorkerAwayError
from application.connectors.records import SealBrokenError
from application.executor import CommandConflictError, OutcomeUnknownError, Overloaded
from application.ports import LogUnavailableError
from domain.connectors.client import ClientExistsError, ClientNotFoundError, ThingRemovalFailedError
from domain.connectors.instance import InstanceExistsError, InstanceInUseError, InstanceNotFoundError, NoInstanceError
from domain.connectors.publication import PublicationInUseError, PublicationNotFoundError, TypeTakenError
from domain.connectors.push import PushRepeatedError
from domain.connectors.thing import ActionNotFoundError, PropertyNotFoundError, ThingInvalidError, ThingNotFoundError
from domain.errors import DomainError, InvalidError
from entrypoints.bearers import NoTokenError
from entrypoints.contract_application import of_kind
from entrypoints.exchange import BEARER, Answer, Header, TooLargeError, TooSlowError, allow, retry_after
from projections.as_of import AsOfError

JSON = b"application/json; charset=utf-8"
_DOCUMENTATION = "https://docs.connctd.io/errors/"


class Refusal(NamedTuple):
    status: int
    word: str
    text: str
    headers: Sequence[Header] = ()

    def saying(self, text: str) -> "Refusal":
        return self._replace(text=text)


class RefusedError(Exception):
    """The request cannot be served; `refusal` is what the contract says of it."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.text)
        self.refusal = refusal


class _ErrorView(msgspec.Struct):
    status: str
    error: str
    description: str
    more_info: str


UNAUTHORIZED = Refusal(401, "UNAUTHORIZED", "Your token or credentials can't be verified", (BEARER,))
FORBIDDEN = Refusal(
    403, "FORBIDDEN", "The provided token does not have sufficient permissions for the requested action"
)
BAD_CONTENT_TYPE = Refusal(400, "BAD_CONTENT_TYPE", "Expected content type to be application/json")
INVALID_JSON_BODY = Refusal(400, "INVALID_JSON_BODY", "Request body does not contain valid json")
MISSING_CONNECTOR_TYPE = Refusal(400, "MISSING_CONNECTOR_TYPE", "connector_type_id is missing")
UNKNOWN_CONNECTOR_TYPE = Refusal(400, "UNKNOWN_CONNECTOR_TYPE", "There is no connector of this type")
INVALID_CONFIGURATION = Refusal(400, "INVALID_CONFIGURATION", "")
MISSING_SUBJECT = Refusal(400, "MISSING_SUBJECT", "Header X-External-Subject-Id is missing")
NO_CONNECTOR_INSTANCE = Refusal(400, "NO_CONNECTOR_INSTANCE", "There is no connector instance for this type")
BAD_REQUEST = Refusal(400, "BAD_REQUEST", "")
DESCRIPTION_NOT_FOUND = Refusal(
    404, "CONNECTOR_DESCRIPTION_DOESNT_EXIST", "The requested connector description doesn't exist"
)
INSTANCE_NOT_FOUND = Refusal(404, "CONNECTOR_INSTANCE_DOESNT_EXIST", "The requested connector instance doesn't exist")
CLIENT_NOT_FOUND = Refusal(404, "CONNECTOR_CLIENT_DOESNT_EXIST", "The requested connector client doesn't exist")
PUBLICATION_NOT_FOUND = Refusal(
    404, "CONNECTOR_PUBLICATION_DOESNT_EXIST", "The requested connector publication doesn't exist"
)
THING_NOT_FOUND = Refusal(404, "THING_DOESNT_EXIST", "The requested Thing doesn't exist")
COMPONENT_NOT_FOUND = Refusal(404, "COMPONENT_DOESNT_EXIST", "The requested component doesn't exist")
PROPERTY_NOT_FOUND = Refusal(404, "PROPERTY_DOESNT_EXIST", "The requested property doesn't exist")
ACTION_NOT_FOUND = Refusal(404, "ACTION_DOESNT_EXIST", "The requested action doesn't exist")
NOT_FOUND = Refusal(404, "NOT_FOUND", "There is nothing at this address")
METHOD_NOT_ALLOWED = Refusal(405, "METHOD_NOT_ALLOWED", "This cannot be done with what is at this address")
INSTANCE_EXISTS = Refusal(409, "CONNECTOR_INSTANCE_EXISTS", "An instance for this connector type already exists")
INSTANCE_IN_USE = Refusal(409, "CONNECTOR_INSTANCE_IN_USE", "There are still clients attached to this instance")
CLIENT_EXISTS = Refusal(409, "CONNECTOR_CLIENT_EXISTS", "A client for this subject and connector type already exists")
TYPE_EXISTS = Refusal(409, "CONNECTOR_TYPE_EXISTS", "A connector of this type already exists")
TYPE_IN_USE = Refusal(409, "CONNECTOR_PUBLICATION_IN_USE", "There are still instances of this connector")
PUSH_REPEATED = Refusal(409, "PUSH_REPEATED", "This push was taken before")
TOO_LARGE = Refusal(413, "REQUEST_TOO_LARGE", "The body is larger than is taken")
TOO_SLOW = Refusal(400, "BAD_REQUEST", "The body did not come in time")
REMOVAL_FAILED = Refusal(500, "THING_REMOVAL_FAILED", "Not all things of this client could be removed")
SEAL_BROKEN = Refusal(500, "CONFIGURATION_UNREADABLE", "The secrets of the configuration cannot be opened any more")
INTERNAL = Refusal(500, "INTERNAL_SERVER_ERROR", "Something went wrong; please try again later")
AWAY = Refusal(503, "SERVICE_UNAVAILABLE", "Storage is unavailable; try again shortly", (retry_after(1),))
UNKNOWN_OUTCOME = Refusal(
    503, "SERVICE_UNAVAILABLE", "Storage has not answered yet; this may still be stored", (retry_after(5),)
)


def answered(refusal: Refusal) -> Answer:
    view = _ErrorView(str(refusal.status), refusal.word, refusal.text, _DOCUMENTATION + refusal.word.lower())
    return Answer(msgspec.json.encode(view), refusal.status, refusal.headers, JSON)


def method_not_allowed(allowed: str) -> Refusal:
    return METHOD_NOT_ALLOWED._replace(headers=(allow(allowed),))


def refusal_of(error: Exception) -> Refusal | None:
    """None for what nobody expected."""
    if isinstance(error, AsOfError):
        return BAD_REQUEST._replace(text=str(error))
    if isinstance(error, RefusedError):
        return error.refusal
    known = of_kind(error, _REFUSALS)
    if known is not None and not known.text and isinstance(error, DomainError):
        return known.saying(error.message)
    return known


_REFUSALS: Mapping[type[BaseException], Refusal] = {
    NoTokenError: UNAUTHORIZED,
    InvalidTokenError: UNAUTHORIZED,
    TooLargeError: TOO_LARGE,
    TooSlowError: TOO_SLOW,
    ConfigurationInvalidError: INVALID_CONFIGURATION,
    NoInstanceError: NO_CONNECTOR_INSTANCE,
    ThingInvalidError: BAD_REQUEST,
    InvalidError: BAD_REQUEST,
    InstanceNotFoundError: INSTANCE_NOT_FOUND,
    ClientNotFoundError: CLIENT_NOT_FOUND,
    PublicationNotFoundError: PUBLICATION_NOT_FOUND,
    ThingNotFoundError: THING_NOT_FOUND,
    PropertyNotFoundError: PROPERTY_NOT_FOUND,
    ActionNotFoundError: ACTION_NOT_FOUND,
    InstanceExistsError: INSTANCE_EXISTS,
    InstanceInUseError: INSTANCE_IN_USE,
    ClientExistsError: CLIENT_EXISTS,
    TypeTakenError: TYPE_EXISTS,
    PushRepeatedError: PUSH_REPEATED,
    PublicationInUseError: TYPE_IN_USE,
    ThingRemovalFailedError: REMOVAL_FAILED,
    ThingStaysError: REMOVAL_FAILED,
    WorkerAwayError: REMOVAL_FAILED,
    SealBrokenError: SEAL_BROKEN,
    OutcomeUnknownError: UNKNOWN_OUTCOME,
    LogUnavailableError: AWAY,
    CommandConflictError: AWAY.saying("Too busy; try again shortly"),
    Overloaded: AWAY.saying("Too busy; try again shortly"),
}
