"""What devices are made of: sensors and actors have the same operations."""

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
from entrypoints.lambda_iot.openapi.schemas import DATA_TYPE, TEXT, UUID

_FIELDS: dict[str, Piece] = {"device_id": UUID, "name": TEXT, "type": TEXT, "data_type_id": DATA_TYPE}


def _listed(kind: str) -> Paths:
    tag, schema = f"{kind.capitalize()}s", ref(kind.capitalize())
    return {
        f"/{kind}s": {
            "get": operation(
                f"list{tag}",
                f"All {kind}s in service",
                tag=tag,
                answers={"200": read(array(schema), "The oldest first.")},
            )
        },
        f"/{kind}s/{{id}}": {
            "get": operation(
                f"get{kind.capitalize()}",
                f"One {kind}",
                tag=tag,
                parameters=[path_id(kind)],
                answers={"200": read(schema)},
                refusals="400 404",
            )
        },
    }


def _changed(kind: str) -> Paths:
    tag, name = f"{kind.capitalize()}s", kind.capitalize()
    return {
        f"/{kind}s": {
            "post": operation(
                f"create{name}",
                f"Add a {kind} to a device" if kind == "sensor" else f"Add an {kind} to a device",
                tag=tag,
                description="A device that is not there is a 400, because the path is.",
                takes=body(_FIELDS),
                answers={"201": written(ref("CreatedId"), "It is in service.")},
            )
        },
        f"/{kind}s/{{id}}": {
            "put": operation(
                f"update{name}",
                f"Change the {kind}",
                tag=tag,
                description="Any subset of the fields; another `device_id` moves it to that device.",
                parameters=[path_id(kind)],
                takes=body({}, _FIELDS),
                answers={"200": done(f"{kind} updated")},
                refusals="404",
            ),
            "delete": operation(
                f"delete{name}",
                f"Remove the {kind}" + (" with its readings" if kind == "sensor" else ""),
                tag=tag,
                parameters=[path_id(kind)],
                answers={"200": done(f"{kind} deleted")},
                refusals="400 404",
            ),
        },
    }


LISTED: Paths = {**_listed("sensor"), **_listed("actor")}
CHANGED: Paths = {**_changed("sensor"), **_changed("actor")}
