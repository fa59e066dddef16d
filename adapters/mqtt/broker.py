"""Where the broker is and who we are to it."""

import ssl
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import unquote, urlsplit

_PORTS = {"mqtt": 1883, "mqtts": 8883}


class InvalidBrokerUrlError(ValueError):
    """The setting is no MQTT URL. The message never quotes it, since it may hold a password."""


@dataclass(frozen=True)
class Broker:
    """An address. The password is left out of every text made of it."""

    host: str
    port: int = 1883
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: bool = False

    @classmethod
    def of_url(cls, url: str) -> Self:
        """From `mqtt://user:pass@host:port` or `mqtts://…`. Raises InvalidBrokerUrlError."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise InvalidBrokerUrlError("the MQTT URL has no valid host or port") from None
        if parts.scheme not in _PORTS or not parts.hostname:
            raise InvalidBrokerUrlError("the MQTT URL must look like mqtt://host:1883 or mqtts://host:8883")
        return cls(
            host=parts.hostname,
            port=port or _PORTS[parts.scheme],
            username=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password) if parts.password is not None else None,
            tls=parts.scheme == "mqtts",
        )

    def tls_context(self) -> ssl.SSLContext | None:
        return ssl.create_default_context() if self.tls else None

    def __str__(self) -> str:
        return f"{'mqtts' if self.tls else 'mqtt'}://{self.host}:{self.port}"
