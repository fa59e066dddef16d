"""What people ask of devices, what devices answered, and what they said to everybody."""

from entrypoints.lambda_iot.openapi.pieces import (
    Paths,
    Piece,
    array,
    body,
    exactly,
    json,
    operation,
    path_id,
    query,
    read,
    ref,
    written,
)
from entrypoints.lambda_iot.openapi.schemas import ANY_TEXT, TIME

_PAGE: Piece = {"type": "integer", "minimum": 0, "maximum": 10**15 - 1, "default": 0}
_LIMIT: Piece = {"type": "integer", "minimum": 1, "maximum": 10**15 - 1, "default": 100}
_PUBLISHED: Piece = written(
    ref("Published"), "The broker has taken it; whether the device does it is the device's word."
)

PATHS: Paths = {
    "/sensors/{id}/trigger": {
        "post": operation(
            "triggerSensor",
            "Ask a sensor for a reading",
            tag="Commands",
            parameters=[path_id("sensor")],
            takes=body({}, {"action": {**ANY_TEXT, "default": "read"}}, {"action": "read"}),
            takes_optionally=True,
            answers={"202": _PUBLISHED},
            refusals="404",
        )
    },
    "/actors/{id}/write": {
        "post": operation(
            "writeActor",
            "Ask an actor to do something",
            tag="Commands",
            parameters=[path_id("actor")],
            takes=body(
                {"action": {"type": "string", "minLength": 1}},
                {"value": {"description": "Any JSON, passed on as it is."}},
                {"action": "set", "value": True},
            ),
            answers={"202": _PUBLISHED},
            refusals="404",
        )
    },
    "/mqttping": {
        "get": operation(
            "pingBroker",
            "Publish a ping",
            tag="Commands",
            answers={"200": json(exactly({"timestamp": TIME, "topic": ANY_TEXT}))},
        )
    },
    "/devices/{id}/commands": {
        "get": operation(
            "listCommands",
            "What the device was asked for, by whom, and what came of it",
            tag="Commands",
            parameters=[path_id("device"), query("limit", _LIMIT, "At most so many; more than 1000 are 1000.")],
            answers={"200": read(array(ref("DeviceCommand")), "The newest first.")},
            refusals="400 404",
        )
    },
    "/messages": {
        "get": operation(
            "listMessages",
            "What was published on topics that begin with `state:`",
            tag="Messages",
            parameters=[
                query("page", _PAGE, "Passes over so many pages of 100."),
                query("include", {"enum": ["topic"]}, "Adds the topic to each message."),
            ],
            answers={"200": read(exactly({"messages": array(ref("Message"))}), "The newest first.")},
            refusals="400",
        )
    },
}
