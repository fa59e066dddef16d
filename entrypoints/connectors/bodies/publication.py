"""What an operator says of a connector that is a service of his (contract connectors 5.6)."""

import re
from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from typing import Any, cast, get_args
from urllib.parse import urlsplit

from adapters.connector_types.expressions import is_expression
from domain.connectors.publication import PublishedConnector, PublishedParameter, ValueType
from entrypoints.connectors import errors
from entrypoints.connectors.errors import RefusedError

_TYPE_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")
_LONGEST_EXPRESSION = 500


def published(sent: Mapping[str, Any]) -> PublishedConnector:
    """Raises RefusedError."""
    type_id = _text(sent, "type_id")
    if not _TYPE_ID.fullmatch(type_id):
        raise _wrong("type_id", "has to begin with a small letter or digit, then also - . and _, 100 at most")
    return PublishedConnector(
        type_id=type_id,
        name=_text(sent, "name") or type_id,
        description=_text(sent, "description"),
        logo=_text(sent, "logo"),
        installation_url=_url(sent, "installation_url"),
        instance_url=_url(sent, "instance_url"),
        action_url=_url(sent, "action_url"),
        installation_parameters=_parameters(sent, "installation_parameters"),
        instance_parameters=_parameters(sent, "instance_parameters"),
    )


def _url(sent: Mapping[str, Any], name: str) -> str:
    """Over plain HTTP only on this machine: what is sent there is signed, and not encrypted."""
    given = _text(sent, name)
    try:
        parts = urlsplit(given)
        host = parts.hostname or ""
    except ValueError:
        host = ""
    if not host or parts.scheme not in ("http", "https") or "@" in parts.netloc or parts.fragment:
        raise _wrong(name, "is no https URL")
    if parts.scheme == "http" and not _is_loopback(host):
        raise _wrong(name, "has to begin with https, unless it is on this machine")
    return given.rstrip("/")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _parameters(sent: Mapping[str, Any], name: str) -> tuple[PublishedParameter, ...]:
    given = [] if sent.get(name) is None else sent[name]
    if not isinstance(given, list) or not all(isinstance(one, dict) for one in given):
        raise _wrong(name, "is no list of objects")
    parameters = tuple(_parameter(one, name) for one in given)
    if len({parameter.id for parameter in parameters}) != len(parameters):
        raise _wrong(name, "names one parameter twice")
    return parameters


def _parameter(sent: Mapping[str, Any], where: str) -> PublishedParameter:
    id = _text(sent, "id")
    if not id:
        raise _wrong(where, "id is missing")
    required = sent.get("required", False)
    if not isinstance(required, bool):
        raise _wrong(where, "required is no boolean")
    return PublishedParameter(
        id=id,
        name=_text(sent, "name") or id,
        value_type=_value_type(sent, where),
        required=required,
        validation=_expression(sent, where),
    )


def _value_type(sent: Mapping[str, Any], where: str) -> ValueType:
    known: Sequence[str] = get_args(ValueType)
    given = _text(sent, "value_type") or "STRING"
    if given not in known:
        raise _wrong(where, f"value_type is none of {', '.join(known)}")
    return cast("ValueType", given)


def _expression(sent: Mapping[str, Any], where: str) -> str:
    given = _text(sent, "validation_expression")
    if len(given) > _LONGEST_EXPRESSION:
        raise _wrong(where, f"validation_expression is longer than {_LONGEST_EXPRESSION}")
    if not is_expression(given):
        raise _wrong(where, "validation_expression is no regular expression, or one that looks around or refers back")
    return given


def _text(sent: Mapping[str, Any], name: str) -> str:
    """Absent and null are empty."""
    given = sent.get(name)
    if given is None:
        return ""
    if not isinstance(given, str) or "\0" in given:
        raise _wrong(name, "is no text")
    return given


def _wrong(name: str, reason: str) -> RefusedError:
    return RefusedError(errors.BAD_REQUEST.saying(f"{name}: {reason}"))
