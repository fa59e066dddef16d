"""What instances and clients are configured with: settings that a connector type declares, and the check of what was
given (contract connectors, part 5)."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from domain.errors import InvalidError

Kind = Literal["string", "number", "boolean", "list", "object"]

_KINDS: Mapping[Kind, tuple[type, ...]] = {
    "string": (str,),
    "number": (int, float),
    "boolean": (bool,),
    "list": (list,),
    "object": (dict,),
}
_SECRET_ENDINGS = ("password", "secret", "token", "key", "jwt")


class ConfigurationInvalidError(InvalidError):
    """The message is `<setting>: <reason>`. Never holds the value, which may be a secret."""

    code = "connectors.configuration_invalid"

    def __init__(self, setting: str, reason: str) -> None:
        super().__init__(f"{setting}: {reason}")


class Setting(NamedTuple):
    """One setting. Numbers have bounds, texts may have `choices`. What its name ends with may make it a secret
    (`…_password`, `…_secret`, `…_token`, `…_key`, `jwt`), as does `secret`: it is never shown again."""

    name: str
    kind: Kind
    required: bool = False
    default: Any = None
    least: float = -math.inf
    most: float = math.inf
    choices: Sequence[str] = ()
    secret: bool = False

    @property
    def is_secret(self) -> bool:
        return self.secret or self.name.endswith(_SECRET_ENDINGS)


class Configuration(NamedTuple):
    """What was given and checked: `open` may be read by whoever operates the log, `secrets` are sealed before they are
    recorded. Settings that were not given are in neither. `told` is what whoever configured it is told, this once."""

    open: Mapping[str, Any]
    secrets: Mapping[str, Any]
    told: Mapping[str, Any] = {}


def check(settings: Sequence[Setting], given: Mapping[str, Any]) -> Configuration:
    """Raises ConfigurationInvalidError for the first setting that is missing, of the wrong kind or out of range. What
    nobody declared is passed over."""
    kept: dict[bool, dict[str, Any]] = {True: {}, False: {}}
    for setting in settings:
        value = given.get(setting.name)
        if value is None:
            if setting.required:
                raise ConfigurationInvalidError(setting.name, "is missing")
            continue
        _check(setting, value)
        kept[setting.is_secret][setting.name] = value
    return Configuration(kept[False], kept[True])


def with_defaults(settings: Sequence[Setting], configuration: Configuration) -> dict[str, Any]:
    """Everything a connector works with, by name; None for what has neither value nor default."""
    given = {**configuration.open, **configuration.secrets}
    return {setting.name: given.get(setting.name, setting.default) for setting in settings}


def _check(setting: Setting, value: Any) -> None:
    if not isinstance(value, _KINDS[setting.kind]) or (isinstance(value, bool) and setting.kind != "boolean"):
        raise ConfigurationInvalidError(setting.name, f"is no {setting.kind}")
    if isinstance(value, str) and setting.required and not value:
        raise ConfigurationInvalidError(setting.name, "is empty")
    if setting.choices and value not in setting.choices:
        raise ConfigurationInvalidError(setting.name, f"is none of {', '.join(setting.choices)}")
    if isinstance(value, int | float) and not setting.least <= value <= setting.most:
        raise ConfigurationInvalidError(setting.name, f"is not between {setting.least:g} and {setting.most:g}")
