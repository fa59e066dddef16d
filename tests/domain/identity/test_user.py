from uuid import UUID

from domain.identity.user import (
    USER,
    PasswordRehashed,
    User,
    UserDisabled,
    UserEnabled,
    UserForgotten,
    UsernameTakenError,
    UserNotFoundError,
    UserRegistered,
    UserRegisteredV1,
    disable,
    enable,
    forget,
    register,
    rehash_password,
)
from tests.domain.specification import given
from tests.persons import PERSON

NOBODY = UUID(int=0)
REGISTERED = UserRegistered(person=PERSON, username="Ada", password_hash="$argon2id$1", email="ada@example.org")
DISABLED = UserDisabled(reason="left the company")


def test_a_free_username_is_registered_as_typed() -> None:
    registered = register(None, PERSON, "Ada", "$argon2id$1", "ada@example.org")
    assert tuple(registered) == (REGISTERED,)
    assert given(USER, *registered).state == User(person=PERSON, username="Ada", password_hash="$argon2id$1")


def test_a_taken_username_is_refused() -> None:
    given(USER, REGISTERED).when(lambda user: register(user, NOBODY, "ADA", "other", None)).then_refused(
        UsernameTakenError, "identity.username_taken"
    )


def test_the_username_of_a_disabled_user_stays_taken() -> None:
    given(USER, REGISTERED, DISABLED).when(lambda user: register(user, NOBODY, "Ada", "x", None)).then_refused(
        UsernameTakenError, "identity.username_taken"
    )


def test_a_password_is_rehashed_at_a_login() -> None:
    given(USER, REGISTERED).when(lambda user: rehash_password(user, "$argon2id$2")).then(
        PasswordRehashed(person=PERSON, password_hash="$argon2id$2")
    )


def test_rehashing_keeps_a_disabled_user_disabled() -> None:
    user = given(USER, REGISTERED, DISABLED, PasswordRehashed(person=PERSON, password_hash="new")).state
    assert user == User(person=PERSON, username="Ada", password_hash="new", disabled=True)


def test_rehashing_the_password_of_nobody_records_nothing() -> None:
    given(USER).when(lambda user: rehash_password(user, "x")).then_nothing()


def test_a_user_is_disabled_with_a_reason() -> None:
    given(USER, REGISTERED).when(lambda user: disable(user, "Ada", "left the company")).then(DISABLED)


def test_disabling_twice_records_nothing_whatever_the_reason() -> None:
    given(USER, REGISTERED, DISABLED).when(lambda user: disable(user, "Ada", "another")).then_nothing()


def test_a_disabled_user_is_enabled() -> None:
    given(USER, REGISTERED, DISABLED).when(lambda user: enable(user, "Ada")).then(UserEnabled())


def test_enabling_an_enabled_user_records_nothing() -> None:
    given(USER, REGISTERED).when(lambda user: enable(user, "Ada")).then_nothing()


def test_disabling_nobody_is_refused() -> None:
    given(USER).when(lambda user: disable(user, "Ada", "x")).then_refused(UserNotFoundError, "identity.user_not_found")


def test_enabling_nobody_is_refused() -> None:
    given(USER).when(lambda user: enable(user, "Ada")).then_refused(UserNotFoundError, "identity.user_not_found")


FORGOTTEN = UserForgotten(person=PERSON)


def test_who_is_forgotten_has_no_name_and_no_password_and_cannot_act() -> None:
    given(USER, REGISTERED).when(lambda user: forget(user, NOBODY)).then(FORGOTTEN)
    assert given(USER, REGISTERED, FORGOTTEN).state == User(
        person=PERSON, username="forgotten-5c9f2d0e7b1a4e63", password_hash="", disabled=True, forgotten=True
    )


def test_who_registered_before_persons_had_keys_is_forgotten_too() -> None:
    of_old = UserRegisteredV1(username="Ada", password_hash="$argon2id$1").upcast()
    given(USER, of_old).when(lambda user: forget(user, PERSON)).then(FORGOTTEN)


def test_forgetting_nobody_is_refused() -> None:
    given(USER).when(lambda user: forget(user, PERSON)).then_refused(UserNotFoundError, "identity.user_not_found")


def test_nobody_has_the_name_of_somebody_who_was_forgotten() -> None:
    given(USER, REGISTERED, FORGOTTEN).when(lambda user: register(user, NOBODY, "Ada", "x", None)).then_refused(
        UsernameTakenError, "identity.username_taken"
    )


def test_who_was_forgotten_is_not_let_in_again() -> None:
    given(USER, REGISTERED, FORGOTTEN).when(lambda user: enable(user, "Ada")).then_refused(
        UserNotFoundError, "identity.user_not_found"
    )
    given(USER, REGISTERED, FORGOTTEN).when(lambda user: rehash_password(user, "new")).then_nothing()
