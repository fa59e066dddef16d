"""Topics, and the groups that read them."""

from collections.abc import Mapping

from application.command import Command, Handler
from application.streams import consumer, group, produce, topic

HANDLERS: Mapping[type[Command], Handler] = {
    **produce.HANDLERS,
    **consumer.HANDLERS,
    **group.HANDLERS,
    **topic.HANDLERS,
}
