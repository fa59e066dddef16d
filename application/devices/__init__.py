"""The fleet: what devices are and are made of, how they fare and what they measure."""

from collections.abc import Mapping

from application.command import Command, Handler
from application.devices import command, device, link, part, reading, readings, state_message

HANDLERS: Mapping[type[Command], Handler] = {
    **device.HANDLERS,
    **part.HANDLERS,
    **readings.HANDLERS,
    **reading.HANDLERS,
    **command.HANDLERS,
    **link.HANDLERS,
    **state_message.HANDLERS,
}
