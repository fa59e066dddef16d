"""Every kind of aggregate there is, by its name; beside the catalogue the only place that knows all contexts."""

from collections.abc import Collection, Mapping
from typing import Any

from domain.catalogue import CATALOGUE
from domain.connectors.action import ACTION
from domain.connectors.client import CLIENT
from domain.connectors.instance import INSTANCE
from domain.connectors.place import PLACE
from domain.connectors.properties import PROPERTIES
from domain.connectors.publication import NUMBERS, PUBLICATION
from domain.connectors.push import PUSH
from domain.connectors.subject import SUBJECT
from domain.connectors.thing import THING
from domain.decider import Decider
from domain.devices.actor import ACTOR
from domain.devices.command import COMMANDS
from domain.devices.device import DEVICE
from domain.devices.external_id import EXTERNAL_ID
from domain.devices.link import LINK
from domain.devices.reading import READING
from domain.devices.readings import READINGS
from domain.devices.sensor import SENSOR
from domain.devices.state_message import STATE_MESSAGES
from domain.identity.access import ACCESS
from domain.identity.logins import ACQUAINTANCE, LOGINS_OF_SOURCE, LOGINS_OF_USER
from domain.identity.registry import REGISTRY
from domain.identity.user import USER
from domain.metrics.reports import REPORTS
from domain.streams.consumer import CONSUMER
from domain.streams.group import GROUP
from domain.streams.partition import PARTITION
from domain.streams.submission import SUBMISSION
from domain.streams.topic import TOPIC

DECIDERS: Mapping[str, Decider[Any]] = {
    decider.name: decider
    for decider in (
        *(USER, REGISTRY, LOGINS_OF_USER, LOGINS_OF_SOURCE, ACQUAINTANCE, ACCESS),
        *(DEVICE, SENSOR, ACTOR, EXTERNAL_ID, READINGS, READING, COMMANDS, LINK, STATE_MESSAGES),
        REPORTS,
        *(PLACE, PUBLICATION, NUMBERS, INSTANCE, SUBJECT, CLIENT, THING, PROPERTIES, ACTION, PUSH),
        *(TOPIC, PARTITION, SUBMISSION, CONSUMER, GROUP),
    )
}


def withheld_fields(aggregate: str) -> Collection[str]:
    """What is private or personal in any event of this kind of aggregate, `<context>.<aggregate>`; so it is in its
    state."""
    events = (event for topic, event in CATALOGUE.by_topic.items() if topic.startswith(f"{aggregate}."))
    return frozenset(name for event in events for name in event.withheld)
