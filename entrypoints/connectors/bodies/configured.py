"""`{"connector_type_id": …, "configuration": {…}}`: the body of both POSTs."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from entrypoints.connectors import errors
from entrypoints.connectors.errors import RefusedError


class ConfiguredBody(NamedTuple):
    """`configuration` may be left out, and is then empty."""

    connector_type_id: str
    configuration: Mapping[str, Any]


def configured(sent: Mapping[str, Any]) -> ConfiguredBody:
    """Raises RefusedError."""
    type_id = sent.get("connector_type_id")
    if not isinstance(type_id, str) or not type_id:
        raise RefusedError(errors.MISSING_CONNECTOR_TYPE)
    configuration = sent.get("configuration")
    if configuration is None:
        configuration = {}
    if not isinstance(configuration, dict):
        raise RefusedError(errors.INVALID_CONFIGURATION.saying("configuration: is no object"))
    return ConfiguredBody(type_id, configuration)
