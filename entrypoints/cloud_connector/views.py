"""The bodies of this contract's answers, with exactly the documented keys."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from time import time
from uuid import UUID

import msgspec

from application.ports import Traffic
from domain.value import Value
from entrypoints.cloud_connector.status import StatusMetrics, TrafficMetrics
from entrypoints.exchange import Answer, position_headers
from projections.devices.connections import Connection
from projections.positions import Freshness

_encode = msgspec.json.Encoder().encode


class StatusView(Value, omit_defaults=False):
    metrics: StatusMetrics
    units: Mapping[str, str]


class DeviceStatusView(Value, omit_defaults=False):
    metrics: TrafficMetrics
    units: Mapping[str, str]


class IdsView(Value, omit_defaults=False):
    devices: Sequence[str]


class DeviceView(Value, omit_defaults=False):
    """Times in unix seconds, 0 for never."""

    connection_id: UUID
    device_id: str
    device_name: str
    device_type: str
    user_agent: str
    remote_address: str
    created_at: int
    last_received_message: int
    last_sent_message: int
    received_messages: int
    sent_messages: int


class DeviceListView(Value, omit_defaults=False):
    devices: Sequence[DeviceView]


class ResponseView(Value, omit_defaults=False):
    response: str
    errors: str = ""


def device_view(connection: Connection, traffic: Traffic | None) -> DeviceView:
    """A process that does not tell its traffic has its devices listed all the same, as if they had been silent."""
    told = traffic or Traffic(connection.connection_id, 0, 0, 0, 0)
    return DeviceView(
        connection_id=connection.connection_id,
        device_id=connection.device,
        device_name=connection.name,
        device_type=connection.type,
        user_agent=connection.user_agent,
        remote_address=connection.remote_address,
        created_at=int(connection.connected_at.timestamp()),
        last_received_message=told.last_received,
        last_sent_message=told.last_sent,
        received_messages=told.received,
        sent_messages=told.sent,
    )


def traffic_metrics(connected_at: float | datetime, traffic: Traffic) -> TrafficMetrics:
    """Rates are over the life of the connection; its first second counts as one."""
    if isinstance(connected_at, datetime):
        uptime = int((datetime.now(UTC) - connected_at).total_seconds())
    else:
        uptime = int(time() - connected_at)
    uptime = max(uptime, 0)
    return TrafficMetrics(
        uptime=uptime,
        received_messages=traffic.received,
        received_messages_per_second=traffic.received // max(uptime, 1),
        sent_messages=traffic.sent,
        sent_messages_per_second=traffic.sent // max(uptime, 1),
    )


def show(body: Value) -> Answer:
    return Answer(_encode(body))


def read(body: Value, seen: Freshness) -> Answer:
    return Answer(_encode(body), headers=position_headers(seen))
