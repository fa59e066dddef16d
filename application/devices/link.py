"""Devices that connect themselves, by WebSocket."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from application.command import Aggregates, Change, Command, Handler, change
from application.parsing import parse_uuid
from domain.devices import device, link
from domain.devices.device import DEVICE, OFFLINE
from domain.devices.external_id import EXTERNAL_ID
from domain.devices.link import LINK, LinkOpened, PayloadMode
from domain.identifiers import external_device_id, link_id


class OpenLink(Command):
    """A device is connected now, under the id that it gives itself. The receipt's events tell which connections it
    replaces, and who held them."""

    device: str
    connection_id: UUID
    holder: str
    through: str
    name: str
    type: str
    user_agent: str
    remote_address: str
    payload_mode: PayloadMode = "raw"


def open_link(command: OpenLink, aggregates: Aggregates) -> Sequence[Change]:
    device_id = registered(aggregates, command.device)
    opened = LinkOpened(
        device=command.device,
        connection_id=command.connection_id,
        holder=command.holder,
        through=command.through,
        name=command.name,
        type=command.type,
        user_agent=command.user_agent,
        remote_address=command.remote_address,
        payload_mode=command.payload_mode,
        device_id=device_id,
    )
    id = link_id(command.device, device_id)
    opening = change(LINK, id, link.open(aggregates.find(LINK, id), opened))
    if device_id is None:
        return [opening]
    # It may have been connected before anybody registered it.
    stranger = link_id(command.device, None)
    return [
        change(LINK, stranger, link.give_way(aggregates.find(LINK, stranger))),
        opening,
        change(DEVICE, device_id, device.connect(aggregates.find(DEVICE, device_id), command.through)),
    ]


class CloseLink(Command):
    """The connection is gone. `device_id` is that of the event that opened it."""

    device: str
    device_id: UUID | None
    connection_id: UUID
    through: str
    reason: str


def close_link(command: CloseLink, aggregates: Aggregates) -> Sequence[Change]:
    id = link_id(command.device, command.device_id)
    known = aggregates.find(LINK, id)
    closed = link.close(known, command.connection_id, command.reason)
    changes = [change(LINK, id, closed)]
    if closed and command.device_id is not None:
        there = aggregates.find(DEVICE, command.device_id)
        gone = device.report_presence(there, OFFLINE, command.reason, command.through)
        changes.append(change(DEVICE, command.device_id, gone))
    return changes


def registered(aggregates: Aggregates, named: str) -> UUID | None:
    """The registered device that has this id, or this external id."""
    id = parse_uuid(named)
    if id is not None and aggregates.find(DEVICE, id) is not None:
        return id
    held = aggregates.find(EXTERNAL_ID, external_device_id(named))
    return held.device_id if held is not None else None


HANDLERS: Mapping[type[Command], Handler] = {OpenLink: open_link, CloseLink: close_link}
