"""The routes of the cloud connector, by path and method (contract devices 1.2)."""

from entrypoints.cloud_connector.door import Door
from entrypoints.cloud_connector.exchange import ConnectorExchange
from entrypoints.cloud_connector.routes import ask, devices, status, status_stream
from entrypoints.contract_application import Handler, Routes

Route = Handler[Door, ConnectorExchange]

DEVICE_LIST = "/devices"
SOCKET = "/connect"
ASKING = ("/devices/command/{device}", "/devices/query/{device}")
SHOW = "/devices/{device}/show"


def find_routes(path: str) -> list[tuple[str, str]]:
    """The routes at the path, with the device that it names; the method decides between them. There are two only
    where a device would be called `command`, `query` or `show`, which none may be."""
    path = path.rstrip("/")
    if path in _LITERAL:
        return [(path, "")]
    match path.split("/"):
        case ["", "devices", ("command" | "query") as kind, "show"]:
            return [(f"/devices/{kind}/{{device}}", "show"), (SHOW, kind)]
        case ["", "devices", ("command" | "query") as kind, device] if device:
            return [(f"/devices/{kind}/{{device}}", device)]
        case ["", "devices", device, "show"] if device:
            return [(SHOW, device)]
    return []


def is_own(path: str) -> bool:
    """Whether the path is the connector's where it stands beside Lambda IoT, whose `/devices` is another list (R1)."""
    if path.startswith("/cloud-connector"):
        return path.startswith("/cloud-connector/") or path == "/cloud-connector"
    return any(template != DEVICE_LIST for template, _ in find_routes(path))


ROUTES: Routes[Route] = {
    "/cloud-connector/status": {"GET": status.show_status},
    "/cloud-connector/status/stream": {"GET": status_stream.stream_status},
    "/status": {"GET": devices.list_ids},
    DEVICE_LIST: {"GET": devices.list_devices},
    SHOW: {"GET": devices.show_device},
    ASKING[0]: {"POST": ask.command},
    ASKING[1]: {"POST": ask.query},
    SOCKET: {"GET": devices.connect},
}

_LITERAL = frozenset(template for template in ROUTES if "{" not in template)
