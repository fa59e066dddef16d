"""Who may do what on the embedded NATS: our processes, whoever follows the events, and devices."""

import secrets
from collections.abc import Mapping

# Devices and our events live in accounts of their own. In one account an MQTT client that subscribes `#` would be
# sent every message of NATS, and could publish events that never happened.
DEVICES, EVENTS = "DEVICES", "TIDEMARK"
OURS, ANYBODY, DEVICE = "tidemark", "anybody", "device"
# Whoever gives no password may follow the events and ask for one again, and no more.
_STREAMS = ("EVENTS", "STREAMS", "PROOF")
_FOLLOWING = (
    "$JS.API.INFO",
    "$JS.API.STREAM.NAMES",
    "$JS.API.STREAM.LIST",
    *(
        subject.format(stream)
        for stream in _STREAMS
        for subject in (
            "$JS.API.STREAM.INFO.{}",
            "$JS.API.STREAM.MSG.GET.{}",
            "$JS.API.DIRECT.GET.{}",
            "$JS.API.DIRECT.GET.{}.>",
            "$JS.API.CONSUMER.NAMES.{}",
            "$JS.API.CONSUMER.LIST.{}",
            "$JS.API.CONSUMER.INFO.{}.*",
            "$JS.API.CONSUMER.CREATE.{}",
            "$JS.API.CONSUMER.CREATE.{}.>",
            "$JS.API.CONSUMER.DURABLE.CREATE.{}.*",
            "$JS.API.CONSUMER.DELETE.{}.*",
            "$JS.API.CONSUMER.MSG.NEXT.{}.*",
            "$JS.ACK.{}.>",
            "$JS.FC.{}.>",
        )
    ),
)
# The consumer of our own read models is not anybody's.
_NOT_FOLLOWING = (
    "$JS.API.CONSUMER.CREATE.EVENTS.projections",
    "$JS.API.CONSUMER.CREATE.EVENTS.projections.>",
    "$JS.API.CONSUMER.DURABLE.CREATE.EVENTS.projections",
    "$JS.API.CONSUMER.DELETE.EVENTS.projections",
    "$JS.API.CONSUMER.MSG.NEXT.EVENTS.projections",
    "$JS.ACK.EVENTS.projections.>",
)
_HEARING = ("tidemark.events.>", "tidemark.streams.>", "tidemark.proof.>", "_INBOX.>")


def accounts(password: str) -> Mapping[str, object]:
    """The section of the server's configuration. `password` is that of our own processes."""
    ours = {"user": OURS, "password": password, "allowed_connection_types": ["STANDARD"]}
    # Nobody needs to know these two passwords: they are for whoever gives none.
    anybody = {
        "user": ANYBODY,
        "password": secrets.token_urlsafe(32),
        "permissions": {
            "publish": {"allow": list(_FOLLOWING), "deny": list(_NOT_FOLLOWING)},
            "subscribe": list(_HEARING),
        },
        "allowed_connection_types": ["STANDARD"],
    }
    device = {"user": DEVICE, "password": secrets.token_urlsafe(32), "allowed_connection_types": ["MQTT"]}
    return {
        EVENTS: {"jetstream": "enabled", "users": [ours, anybody]},
        DEVICES: {"jetstream": "enabled", "users": [device]},
    }
