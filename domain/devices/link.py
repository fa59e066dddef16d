"""The connection that a device holds to us. One stream per device, registered or not; the newest connection counts."""

from collections.abc import Sequence
from typing import Literal
from uuid import UUID

from domain.decider import Decider
from domain.event import Event
from domain.value import State

PayloadMode = Literal["raw", "field"]


class LinkOpened(Event, topic="devices.link.opened.v1", private=("remote_address", "user_agent")):
    """A device connected itself. `device` is the id it gave, `device_id` the registered device that it is, if any;
    `holder` is the process that has the connection. `payload_mode`: whether the device is given the body of a request
    as it came, or only what its field `payload` says."""

    device: str
    connection_id: UUID
    holder: str
    through: str
    name: str
    type: str
    user_agent: str
    remote_address: str
    payload_mode: PayloadMode = "raw"
    device_id: UUID | None = None


class LinkClosed(Event, topic="devices.link.closed.v1"):
    device: str
    connection_id: UUID
    holder: str
    reason: str
    device_id: UUID | None = None


class Link(State):
    """The open connection. A device that is not connected has no state."""

    device: str
    connection_id: UUID
    holder: str
    device_id: UUID | None = None


# Decide


def open(link: Link | None, opened: LinkOpened) -> Sequence[Event]:
    """The newest connection wins."""
    if link is not None and link.connection_id == opened.connection_id:
        return ()
    return (*give_way(link), opened)


def give_way(link: Link | None) -> Sequence[Event]:
    """A newer connection of the device takes its place."""
    return () if link is None else (_closed(link, "replaced by a newer connection"),)


def close(link: Link | None, connection_id: UUID, reason: str) -> Sequence[Event]:
    """Nobody closes what another connection of the device has become."""
    return (_closed(link, reason),) if link is not None and link.connection_id == connection_id else ()


def _closed(link: Link, reason: str) -> LinkClosed:
    return LinkClosed(
        device=link.device,
        connection_id=link.connection_id,
        holder=link.holder,
        reason=reason,
        device_id=link.device_id,
    )


# Evolve


def evolve(link: Link | None, event: Event) -> Link | None:
    match event:
        case LinkOpened():
            return Link(
                device=event.device,
                connection_id=event.connection_id,
                holder=event.holder,
                device_id=event.device_id,
            )
        case LinkClosed():
            return None
    return link


LINK = Decider("devices.link", Link, evolve)
