"""Connectors: what owners configure, what runs for their customers, and the things that come of it."""

from collections.abc import Mapping

from application.command import Command, Handler
from application.connectors import action, client, instance, publication, push, subject, thing
from application.connectors.registry import DeviceRegistry


def handlers(registry: DeviceRegistry) -> Mapping[type[Command], Handler]:
    """What handles the commands, where every thing is a device of the registry too."""
    return {
        **publication.HANDLERS,
        **instance.HANDLERS,
        **subject.HANDLERS,
        **client.handlers(registry),
        **thing.handlers(registry),
        **action.HANDLERS,
        **push.HANDLERS,
    }
