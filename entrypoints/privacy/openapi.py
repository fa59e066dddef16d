"""This contract as an OpenAPI 3.1 document: GET /privacy/openapi.json."""

from functools import cache

from entrypoints.openapi import ID, TEXT, Json, answer, body, contract_document, ref, refusals

_REFUSALS = {
    "400": "The body does not say whom.",
    "401": "A token is needed.",
    "403": "The token has not the scope `persons.forget`.",
    "404": "There is no such person.",
    "408": "The body did not come in time.",
    "409": "There are clients or things for the subject, which are named; remove them first.",
    "413": "The body is too large.",
    "503": "It cannot be done now, or nobody knows whether it was; to ask again does no harm.",
}
_WHOM: Json = {
    "properties": {
        "username": {**TEXT, "description": "Of an account, in any capitals."},
        "subject": {**TEXT, "description": "As an app calls the end customer that it uses connectors for."},
        "owner": {**ID, "description": "The user whose tokens the app shows; whoever asks, if nothing is said."},
    },
    "oneOf": [
        {"required": ["username"], "not": {"anyOf": [{"required": ["subject"]}, {"required": ["owner"]}]}},
        {"required": ["subject"], "not": {"required": ["username"]}},
    ],
}
_FORGOTTEN: Json = {
    "type": "object",
    "required": ["shown_as"],
    "properties": {
        "shown_as": {**TEXT, "description": "What stands in the place of the name from now on."},
        "position": {"type": "integer", "description": "Of the event; absent if it had been done before."},
    },
}
_PROBLEM: Json = {
    "type": "object",
    "required": ["code", "message"],
    "properties": {
        "code": TEXT,
        "message": TEXT,
        "clients": {"type": "array", "items": ID},
        "things": {"type": "array", "items": ID},
    },
}


@cache
def document() -> Json:
    forget: Json = {
        "summary": "Forget a person: destroy, for good, the key of whatever in the log tells who it was.",
        "requestBody": body(_WHOM),
        "responses": {
            "200": answer("Nothing names the person any more.", ref("Forgotten")),
            "202": answer("It is done, and the read models are coming to it.", ref("Forgotten")),
            **refusals(_REFUSALS, _REFUSALS, "Problem"),
        },
    }
    return contract_document(
        "Tidemark: privacy",
        "Forgetting persons without changing the log.",
        "/privacy",
        {"/forget": {"post": forget}},
        {"Forgotten": _FORGOTTEN, "Problem": _PROBLEM},
    )
