"""The routes of metric reporting, by path and method (contract metrics 1.3)."""

from typing import Literal, NamedTuple

from entrypoints.contract_application import Handler, Routes
from entrypoints.metric_reporting.door import Door
from entrypoints.metric_reporting.exchange import MetricExchange
from entrypoints.metric_reporting.routes import (
    accounts,
    bulk,
    current,
    federate,
    history,
    line_protocol,
    remote_write,
    report,
    status,
)


class Route(NamedTuple):
    """`access`: `token` always needs one, `read` unless reading is open, `open` never."""

    handler: Handler[Door, MetricExchange]
    access: Literal["token", "read", "open"]


REPORT = "/{device}/metrics"
TOKEN = "/token"
SIGN_IN = "/users/sign_in.json"

_ALL = "/metrics/{name}/historic"
_ONE = "/devices/{device}/metrics/{name}/historic"
_OF_ALL = {"GET": Route(history.stream_history, "read")}
_OF_ONE = {"GET": Route(history.show_device_history, "read")}

ROUTES: Routes[Route] = {
    REPORT: {"PUT": Route(report.report, "token")},
    "/metrics": {"PUT": Route(bulk.report_many, "token")},
    "/metrics/federate": {"GET": Route(federate.federate, "read")},
    "/api/v1/write": {"POST": Route(remote_write.write, "token")},
    "/write": {"POST": Route(line_protocol.write, "token")},
    "/status": {"GET": Route(status.show_status, "open")},
    "/metrics/current": {"GET": Route(current.list_metrics, "read")},
    "/metrics/unique": {"GET": Route(current.list_metrics, "read")},
    "/metrics/{name}/current": {"GET": Route(current.list_values, "read")},
    "/metrics/{name}/values": {"GET": Route(current.list_values, "read")},
    "/devices/{device}/metrics/current": {"GET": Route(current.list_device_metrics, "read")},
    "/metrics/historic": {"GET": Route(history.list_names, "read")},
    "/devices/{device}/metrics/historic": {"GET": Route(history.list_device_names, "read")},
    f"{_ALL}/last/{{duration}}": _OF_ALL,
    f"{_ALL}/{{start}}": _OF_ALL,
    f"{_ALL}/{{start}}/{{end}}": _OF_ALL,
    f"{_ONE}/last/{{duration}}": _OF_ONE,
    f"{_ONE}/{{start}}": _OF_ONE,
    f"{_ONE}/{{start}}/{{end}}": _OF_ONE,
    TOKEN: {"POST": Route(accounts.make_token, "open")},
    SIGN_IN: {"POST": Route(accounts.sign_in, "open")},
}

# There only under `tidemark up`.
DEVELOPMENT = frozenset({TOKEN})
