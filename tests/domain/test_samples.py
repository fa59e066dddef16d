"""What was once stored must decode for ever.

The files in `samples/` hold the column `state` of one event each, as it was written when its topic was new. They
are written once; a test that fails here is answered with a new version and an upcast, not with a new file.
"""

import json
from pathlib import Path
from uuid import UUID

import pytest

from adapters.eventstore.mapper import Mapper
from adapters.security.sealing import opened
from application.ports import NewEvent
from domain.catalogue import CATALOGUE, MODULES, events_of
from domain.event import Event
from tests.persons import KEY, KEYS

SAMPLES = {path.name.removesuffix(".json"): path.read_bytes() for path in Path(__file__).parent.glob("samples/*.json")}
MAPPER = Mapper(CATALOGUE)


def test_every_stored_event_has_a_sample_and_no_sample_is_forgotten() -> None:
    assert set(SAMPLES) == set(CATALOGUE.by_topic)


@pytest.mark.parametrize("topic", sorted(SAMPLES))
def test_a_sample_decodes_to_its_event_and_comes_back_the_same(topic: str) -> None:
    recorded = MAPPER.recorded(1, UUID(int=1), 1, topic, SAMPLES[topic], KEYS)
    claimed = CATALOGUE.by_topic[topic]
    if claimed.upcast is Event.upcast:
        assert type(recorded.event) is claimed
    written = MAPPER.encode(NewEvent(UUID(int=1), 1, recorded.event, recorded.envelope), KEYS)
    assert MAPPER.recorded(1, UUID(int=1), 1, recorded.event.topic, written, KEYS) == recorded


@pytest.mark.parametrize("topic", sorted(SAMPLES))
def test_a_sample_holds_every_field_of_its_event(topic: str) -> None:
    # Also those that may be left out: a renamed optional field would decode silently to nothing.
    stored = MAPPER.stored(SAMPLES[topic])
    told = opened(KEY, stored.sealed, stored.id.bytes) if stored.sealed else b"{}"
    assert set(json.loads(bytes(stored.data)) | json.loads(told)) == set(CATALOGUE.by_topic[topic].__struct_fields__)


@pytest.mark.parametrize("topic", [topic for topic, event in CATALOGUE.by_topic.items() if event.personal])
def test_nothing_personal_stands_in_a_sample_in_the_clear_since_persons_have_keys(topic: str) -> None:
    event = CATALOGUE.by_topic[topic]
    in_the_clear = set(event.personal) & set(json.loads(SAMPLES[topic])["data"])
    assert bool(in_the_clear) == (event.upcast is not Event.upcast)


@pytest.mark.parametrize("topic", sorted(SAMPLES))
def test_nothing_of_a_sample_is_lost(topic: str) -> None:
    stored = json.loads(SAMPLES[topic])
    event = MAPPER.event(topic, SAMPLES[topic], KEYS)
    if type(event) is CATALOGUE.by_topic[topic]:
        envelope = MAPPER.recorded(1, UUID(int=1), 1, topic, SAMPLES[topic], KEYS).envelope
        again = json.loads(MAPPER.encode(NewEvent(UUID(int=1), 1, event, envelope), KEYS))
        for one in (again, stored):  # what is sealed is never the same twice; the tests above open it
            one.pop("sealed", None)
        assert _instants_aside(again) == _instants_aside(stored)


@pytest.mark.parametrize("topic", sorted(SAMPLES))
def test_fields_that_a_newer_program_added_are_passed_over(topic: str) -> None:
    stored = json.loads(SAMPLES[topic])
    stored["new_in_the_envelope"] = 1
    stored["data"]["new_in_the_data"] = {"a": [1]}
    assert MAPPER.event(topic, json.dumps(stored).encode(), KEYS) == MAPPER.event(topic, SAMPLES[topic], KEYS)


def test_topics_name_context_aggregate_participle_and_version() -> None:
    for topic in CATALOGUE.by_topic:
        context, aggregate, participle, version = topic.split(".")
        assert context in {"identity", "devices", "connectors", "metrics", "streams"}
        assert all(part.replace("_", "").isalpha() for part in (aggregate, participle))
        assert version.startswith("v")
        assert int(version[1:]) >= 1


def test_the_catalogue_holds_every_event_of_its_modules() -> None:
    assert set(events_of(MODULES)) == set(CATALOGUE)


def _instants_aside(stored: dict[str, object]) -> dict[str, object]:
    """Without the envelope's time, whose fraction has more than one spelling."""
    text = json.dumps({**stored, "at": None}, sort_keys=True)
    without: dict[str, object] = json.loads(text.replace(".250000Z", ".25Z"))
    return without
