from datetime import UTC, datetime
from uuid import UUID

import pytest

from domain.connectors.action import (
    ACTION,
    ActionAsked,
    ActionCompleted,
    ActionFailed,
    ActionSettledError,
    ActionUnknownError,
    complete,
    fail,
)
from domain.event import Event
from tests.domain.specification import given

ASKED = ActionAsked(
    thing_id=UUID(int=1),
    component_id="lamp",
    action_id="setOn",
    parameters={"on": "true"},
    deadline=datetime(2026, 1, 14, tzinfo=UTC),
)


@pytest.mark.parametrize("first", [ActionCompleted(), ActionFailed(reason="no")])
def test_the_first_word_counts(first: Event) -> None:
    settled = given(ACTION, ASKED, first)
    settled.when(complete).then_refused(ActionSettledError, "connectors.action_settled")
    settled.when(lambda action: fail(action, "late")).then_refused(ActionSettledError, "connectors.action_settled")


def test_a_pending_action_is_completed_or_fails() -> None:
    pending = given(ACTION, ASKED)
    assert pending.state is not None
    assert pending.state.status == "PENDING"
    assert complete(pending.state) == (ActionCompleted(),)
    assert fail(pending.state, "no") == (ActionFailed(reason="no"),)


def test_what_nobody_asked_cannot_be_answered() -> None:
    given(ACTION).when(complete).then_refused(ActionUnknownError, "connectors.action_unknown")
