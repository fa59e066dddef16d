from uuid import UUID

from domain.connectors.subject import SUBJECT, Subject, SubjectForgotten, SubjectMet, forget, meet
from tests.domain.specification import given
from tests.persons import PERSON

ANOTHER = UUID(int=9)
MET = SubjectMet(owner="o1", person=PERSON)
FORGOTTEN = SubjectForgotten(owner="o1", person=PERSON)


def test_a_subject_is_met_once() -> None:
    given(SUBJECT).when(lambda subject: meet(subject, "o1", PERSON)).then(MET)
    given(SUBJECT, MET).when(lambda subject: meet(subject, "o1", ANOTHER)).then_nothing()
    assert given(SUBJECT, MET).state == Subject(person=PERSON)


def test_a_subject_is_forgotten_by_its_own_key() -> None:
    given(SUBJECT, MET).when(lambda subject: forget(subject, "o1", ANOTHER)).then(FORGOTTEN)


def test_a_subject_that_was_never_met_has_things_of_before_persons_had_keys() -> None:
    given(SUBJECT).when(lambda subject: forget(subject, "o1", PERSON)).then(FORGOTTEN)


def test_after_it_was_forgotten_it_is_met_as_somebody_else() -> None:
    given(SUBJECT, MET, FORGOTTEN).when(lambda subject: meet(subject, "o1", ANOTHER)).then(
        SubjectMet(owner="o1", person=ANOTHER)
    )
    assert given(SUBJECT, MET, FORGOTTEN, SubjectMet(owner="o1", person=ANOTHER)).state == Subject(person=ANOTHER)
