"""docs/asyncapi.yaml says what is really published."""

from pathlib import Path

import yaml

from domain.catalogue import CATALOGUE
from domain.event import Event
from entrypoints import asyncapi

COMMITTED = Path(__file__).parents[2] / "docs" / "asyncapi.yaml"


def test_the_committed_document_is_current(tmp_path: Path) -> None:
    """If not: `python -c "from pathlib import Path; from entrypoints.asyncapi import write;
    write(Path('docs/asyncapi.yaml'))"`."""
    assert asyncapi.is_current(COMMITTED)
    assert not asyncapi.is_current(tmp_path / "missing.yaml")
    asyncapi.write(tmp_path / "written.yaml")
    assert asyncapi.is_current(tmp_path / "written.yaml")


def test_the_yaml_says_what_the_document_says() -> None:
    assert yaml.safe_load(asyncapi.render()) == asyncapi.document()


def test_every_event_of_the_catalogue_has_its_channel_operation_and_message() -> None:
    document = yaml.safe_load(COMMITTED.read_text())
    assert document["asyncapi"] == "3.0.0"
    for event in CATALOGUE:
        if event.upcast is not Event.upcast:  # published as what it is today
            assert event.topic not in document["channels"]
            continue
        channel = document["channels"][event.topic]
        name = event.topic.rpartition(".")[0]
        assert channel["address"] == f"tidemark.events.{name}.{{aggregateId}}"
        assert document["operations"][f"receive.{event.topic}"]["action"] == "receive"
        assert document["components"]["messages"][event.topic]["title"] == event.__name__


def test_every_reference_leads_somewhere() -> None:
    document = yaml.safe_load(COMMITTED.read_text())

    def references(value: object) -> list[str]:
        if isinstance(value, dict):
            own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
            return own + [found for item in value.values() for found in references(item)]
        return [found for item in value for found in references(item)] if isinstance(value, list) else []

    for reference in set(references(document)):
        target = document
        for step in reference.removeprefix("#/").split("/"):
            target = target[step]


def test_private_fields_are_not_documented() -> None:
    """Nor what only they are made of. Another event may have a field of the same name."""
    schemas = yaml.safe_load(COMMITTED.read_text())["components"]["schemas"]
    shown = {event: set(schemas[event.__name__]["properties"]) for event in CATALOGUE if event.__name__ in schemas}
    assert any(event.private for event in shown)
    assert any(event.personal for event in shown)
    assert not [event.topic for event, fields in shown.items() if fields & set(event.withheld)]
    text = COMMITTED.read_text()
    assert not [
        name for name in ("password_hash", "username", "email", "sealed_key", "PublishedConnector") if name in text
    ]
