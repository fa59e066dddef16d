"""The page on which an end customer agrees to a client of the simulator (contract connectors 5.1). Needs no token:
whoever has the address was sent here. It works until he has decided."""

from collections.abc import Mapping
from html import escape
from typing import Final, Protocol
from urllib.parse import parse_qs
from uuid import UUID

from adapters.security.codes import ConsentCodes
from application.connectors.client import AdmitClient, FailClient
from application.executor import CommandExecutor
from domain.connectors.client import CLIENT, Client
from domain.event import Origin
from entrypoints.correlation import correlation_id
from entrypoints.exchange import Answer

CONSENT: Final = "/connectors/consent/{code}"

LARGEST_FORM: Final = 4096

_HEADERS: Final = (
    (b"cache-control", b"no-store"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (
        b"content-security-policy",
        b"default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    ),
)


class ConsentDoor(Protocol):
    """What these routes need of the door."""

    @property
    def executor(self) -> CommandExecutor: ...

    @property
    def consent_codes(self) -> ConsentCodes: ...


class Asked(Protocol):
    """What these routes need of a request. `named` is what its path names."""

    @property
    def named(self) -> Mapping[str, str]: ...

    async def body(self, largest: int = ...) -> bytes: ...


async def show_consent(door: ConsentDoor, asked: Asked) -> Answer:
    """A form with two buttons."""
    found = await _found(door, asked)
    return found if isinstance(found, Answer) else _form(found[1], 200)


async def decide_consent(door: ConsentDoor, asked: Asked) -> Answer:
    found = await _found(door, asked)
    if isinstance(found, Answer):
        return found
    client_id, client = found
    form = parse_qs((await asked.body(LARGEST_FORM)).decode(errors="replace"))
    origin = Origin(actor="anonymous", source="http", correlation_id=correlation_id())
    match form.get("decision"):
        case ["accept"]:
            await door.executor.execute(AdmitClient(client_id=client_id), origin)
            return _page(200, "Thank you", "The connection is being made. You may close this page.")
        case ["refuse"]:
            await door.executor.execute(FailClient(client_id=client_id, reason="its user refused"), origin)
            return _page(200, "Refused", "Nothing is connected. You may close this page.")
    return _form(client, 400)


async def _found(door: ConsentDoor, asked: Asked) -> tuple[UUID, Client] | Answer:
    """The client that waits for its user. Raises LogUnavailableError."""
    client_id = door.consent_codes.client_of(asked.named["code"])
    client = await door.executor.find(CLIENT, client_id) if client_id is not None else None
    if client_id is None or client is None:
        return _page(404, "Not found", "This address leads nowhere, or no more.")
    if client.awaits != "user" or client.status == "ERROR":
        return _page(410, "Already decided", "This address works once, and for ten minutes only.")
    return client_id, client


def _form(client: Client, status: int) -> Answer:
    asks = f"May things of the connector <b>{escape(client.type_id)}</b> be connected"
    return _page(
        status,
        "Connect your things",
        f"{asks} for <b>{escape(client.subject)}</b>?",
        '<form method="post"><button name="decision" value="accept">Connect</button> '
        '<button name="decision" value="refuse">Refuse</button></form>',
    )


def _page(status: int, title: str, told: str, form: str = "") -> Answer:
    html = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>body{{font:1rem/1.5 system-ui,sans-serif;max-width:32rem;margin:4rem auto;"
        "padding:0 1rem}button{font:inherit;padding:.5rem 1.5rem}</style></head>"
        f"<body><main><h1>{title}</h1><p>{told}</p>{form}</main></body></html>"
    )
    return Answer(html.encode(), status, _HEADERS, b"text/html; charset=utf-8")


ROUTES = {CONSENT: {"GET": show_consent, "POST": decide_consent}}
