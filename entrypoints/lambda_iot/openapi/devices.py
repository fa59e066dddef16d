"""The registry of devices."""

from entrypoints.lambda_iot.openapi.lines import lines_operation
from entrypoints.lambda_iot.openapi.pieces import (
    Paths,
    Piece,
    array,
    body,
    done,
    operation,
    path_id,
    read,
    ref,
    written,
)
from entrypoints.lambda_iot.openapi.schemas import STATUS, TEXT

EXTERNAL_ID: Piece = {
    "type": "string",
    "maxLength": 255,
    "description": "The name that another system has for the device, printable and unique; empty for none.",
}

_FIELDS: dict[str, Piece] = {"name": TEXT, "description": TEXT, "location": TEXT, "status_id": STATUS}
REGISTER_DEVICE: Piece = body(
    _FIELDS,
    {"external_id": EXTERNAL_ID},
    {"name": "Room Sensor", "description": "Living room", "location": "Floor 1", "status_id": 1},
)

LISTED: Paths = {
    "/devices": {
        "get": operation(
            "listDevices",
            "All devices",
            tag="Devices",
            token=False,
            description="Public, unless the operator has locked it: then 401 without a token.",
            answers={"200": read(array(ref("Device")), "The oldest first.")},
            refusals="401",
        )
        | {"security": [{}, {"bearer": []}]}
    },
    "/devices/{id}": {
        "get": operation(
            "getDevice",
            "One device",
            tag="Devices",
            parameters=[path_id("device")],
            answers={"200": read(ref("Device"))},
            refusals="400 404",
        )
    },
}

CHANGED: Paths = {
    "/devices": {
        "post": operation(
            "createDevice",
            "Register a device",
            tag="Devices",
            takes=REGISTER_DEVICE,
            answers={"201": written(ref("CreatedId"), "It is registered.")},
            refusals="409",
        )
    },
    "/devices/batch": {
        "post": lines_operation("createDevices", "Register many devices", "Devices", REGISTER_DEVICE, ref("CreatedId"))
    },
    "/devices/{id}": {
        "put": operation(
            "updateDevice",
            "Change a device",
            tag="Devices",
            description="Any subset of the fields, or none. An `external_id` of null is taken away.",
            parameters=[path_id("device")],
            takes=body({}, {**_FIELDS, "external_id": EXTERNAL_ID}, {"location": "Attic"}),
            answers={"200": done("device updated")},
            refusals="404 409",
        ),
        "delete": operation(
            "deleteDevice",
            "Remove a device with its sensors, actors and readings",
            tag="Devices",
            parameters=[path_id("device")],
            answers={"200": done("device deleted")},
            refusals="400 404",
        ),
    },
}
