"""How each kind of setting is read from text, and what is refused."""

import base64
import re
from collections.abc import Callable, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any, TypeVar
from urllib.parse import SplitResult, parse_qsl, unquote, urlencode, urlsplit

T = TypeVar("T")
Network = IPv4Network | IPv6Network

SECRET_BYTES = 32
SAMPLES = frozenset(
    {
        "admin",
        "change-me",
        "change_me",
        "changeit",
        "changeme",
        "default",
        "dev",
        "development",
        "example",
        "guest",
        "insecure",
        "jwt-secret",
        "jwt_secret",
        "jwtsecret",
        "letmein",
        "mysecret",
        "pass",
        "password",
        "postgres",
        "root",
        "s3cret",
        "sample",
        "secret",
        "supersecret",
        "test",
        "tidemark",
        "your-256-bit-secret",
        "your-secret",
        "your-secret-key",
        "your_secret_key",
        "yoursecretkey",
    }
)


class Wrong(ValueError):  # noqa: N818  # half a sentence, which settings.py completes to a problem
    """`what` is wrong, never with the value of a secret in it, and what was `expected`."""

    def __init__(self, what: str, expected: str) -> None:
        super().__init__(what)
        self.what = what
        self.expected = expected


def text(given: str) -> str:
    if not given.strip() or any(ord(character) < 32 for character in given):
        raise Wrong("is blank or has control characters", "a printable text")
    return given


def signing_secret(given: str) -> str:
    """Long enough for HS256, and nobody's sample."""
    expected = "the output of `openssl rand -hex 32`"
    if _is_sample(given):
        raise Wrong("is a sample that everybody knows", expected)
    if len(given.encode()) < SECRET_BYTES:
        raise Wrong(f"is shorter than {SECRET_BYTES} bytes", expected)
    if len(set(given)) < 8:
        raise Wrong("repeats a few characters", expected)
    return given


# A connection into which packets vanish is given up within a quarter of a minute, instead of after two hours.
_LIVELY = {"keepalives_idle": "5", "keepalives_interval": "3", "keepalives_count": "3", "tcp_user_timeout": "15000"}


def database_url(*, strict: bool) -> Callable[[str], str]:
    """Every connection is made from it, so what holds for every connection is in it, unless the operator says else."""
    expected = "postgresql://USER:PASSWORD@HOST:PORT/DATABASE"

    def parse(given: str) -> str:
        # Other programs' spelling of the same.
        url = re.sub(r"^postgres(ql\+\w+)?://", "postgresql://", given)
        parts = _url(url, ("postgresql",), expected)
        if not parts.path.strip("/"):
            raise Wrong("names no database", expected)
        _refuse_sample(parts, strict)
        return parts._replace(query=urlencode({**_LIVELY, **dict(parse_qsl(parts.query))})).geturl()

    return parse


def server_url(*schemes: str, strict: bool) -> Callable[[str], str]:
    """One URL, or for NATS several with commas between."""
    expected = " or ".join(f"{scheme}://USER:PASSWORD@HOST:PORT" for scheme in schemes)

    def parse(given: str) -> str:
        for one in given.split(","):
            parts = _url(one.strip(), schemes, expected)
            if not parts.hostname:
                raise Wrong("names no host", expected)
            _refuse_sample(parts, strict)
        return given

    return parse


def mqtt_topic(given: str) -> str:
    if not re.fullmatch(r"[^\s#+$/]+(/[^\s#+/]+)*", given):
        raise Wrong(f"{given!r} is no plain topic", "levels with / between, without spaces, + and #")
    return given


def port(given: str) -> int:
    if not (given.isascii() and given.isdigit() and int(given) < 65536):
        raise Wrong(f"{given!r} is no port", "a whole number from 1 to 65535")
    return int(given)


def signing_seed(given: str) -> str:
    expected = "32 bytes in base64: the output of `openssl rand -base64 32`"
    try:
        seed = base64.b64decode(given, validate=True)
    except ValueError:
        raise Wrong("is no base64", expected) from None
    if len(seed) != SECRET_BYTES:
        raise Wrong(f"has {len(seed)} bytes", expected)
    return given


def number(given: str) -> int:
    if not (given.isascii() and given.isdigit() and 0 < int(given) < 2**63):
        raise Wrong(f"{given!r} is no number above 0", "a whole number such as 10000")
    return int(given)


def number_up_to(largest: int) -> Callable[[str], int]:
    def parse(given: str) -> int:
        if number(given) > largest:
            raise Wrong(f"{given!r} is too large", f"a whole number from 1 to {largest}")
        return int(given)

    return parse


def duration(given: str) -> float:
    """Seconds."""
    return _scaled(given, {"": 1, "ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}, "a time such as 2s, 12h or 7d")


def seconds_up_to(most: float) -> Callable[[str], float]:
    """A bare number, for settings whose name ends with `_S`."""

    def parse(given: str) -> float:
        if not re.fullmatch(r"\d{1,6}(\.\d{1,3})?", given) or not 0 < float(given) <= most:
            raise Wrong(f"{given!r} is no number of seconds", f"a number above 0, at most {most:g}")
        return float(given)

    return parse


def origins(given: str) -> frozenset[str]:
    """As browsers send them: scheme, host in lower case, and the port unless it is the scheme's own."""
    expected = "origins such as https://ui.example.com, with commas between"
    found = set()
    for one in filter(None, (part.strip() for part in given.split(","))):
        parts = _url(one, ("http", "https"), expected)
        if not parts.hostname or parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc:
            raise Wrong(f"{one!r} is no origin", expected)
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        own = parts.port in (None, 443 if parts.scheme == "https" else 80)
        found.add(f"{parts.scheme}://{host}" if own else f"{parts.scheme}://{host}:{parts.port}")
    return frozenset(found)


def public_url(given: str) -> str:
    """Without a slash at the end; empty for none."""
    if not given:
        return ""
    expected = "https://HOST[:PORT][/PATH]"
    parts = _url(given, ("https", "http"), expected)
    if not parts.hostname or parts.query or parts.fragment or "@" in parts.netloc:
        raise Wrong(f"{given!r} is no address of a site", expected)
    return given.rstrip("/")


def networks(given: str) -> tuple[Network, ...]:
    try:
        return tuple(ip_network(one.strip()) for one in given.split(",") if one.strip())
    except ValueError:
        raise Wrong(f"{given!r} names no networks", "networks such as 10.0.0.0/8, with commas between") from None


def size(given: str) -> int:
    """Bytes."""
    units = {"": 1, "B": 1, "KB": 1024, "MB": 1024**2, "GB": 1024**3, "TB": 1024**4}
    return int(_scaled(given, units, "a size such as 512MB or 10GB"))


def yes_or_no(given: str) -> bool:
    if given.lower() in ("yes", "true", "on", "1"):
        return True
    if given.lower() in ("no", "false", "off", "0"):
        return False
    raise Wrong(f"{given!r} is neither yes nor no", "yes or no")


def one_of(*words: str) -> Callable[[str], str]:
    def parse(given: str) -> str:
        if given.lower() not in words:
            raise Wrong(f"{given!r} is unknown", f"one of {', '.join(words)}")
        return given.lower()

    return parse


def optional(parse: Callable[[str], T]) -> Callable[[str], T | None]:
    return lambda given: parse(given) if given else None


def file_numbers(given: str) -> Mapping[str, int]:
    """`api=5,connector=6`."""
    try:
        return {name: int(number) for name, number in (one.split("=") for one in given.split(",") if one)}
    except ValueError:
        raise Wrong(f"{given!r} names no sockets", "to be left to `tidemark up`") from None


def _url(given: str, schemes: tuple[str, ...], expected: str) -> SplitResult:
    try:
        parts = urlsplit(given)
        port_is_usable = parts.port is None or parts.port > 0
    except ValueError:
        raise Wrong("is no URL", expected) from None
    if parts.scheme not in schemes or not port_is_usable:
        raise Wrong(f"is no {schemes[0]} URL", expected)
    return parts


def _refuse_sample(parts: SplitResult, strict: bool) -> None:
    if strict and parts.password is not None and _is_sample(unquote(parts.password)):
        raise Wrong("has a sample password that everybody knows", "a password of your own")


def _is_sample(given: str) -> bool:
    return given.strip().lower() in SAMPLES


def _scaled(given: str, units: Mapping[str, Any], expected: str) -> float:
    match = re.fullmatch(r"(\d{1,15}(?:\.\d{1,9})?)\s*([a-zA-Z]*)", given)
    unit = next((unit for unit in units if match and unit.lower() == match[2].lower()), None)
    if match is None or unit is None or float(match[1]) <= 0:
        raise Wrong(f"{given!r} is not understood", expected)
    return float(match[1]) * float(units[unit])
