from domain.identity.user import (
    USER,
    PasswordRehashed,
    User,
    UserDisabled,
    UserEnabled,
    UsernameTakenError,
    UserNotFoundError,
    UserRegistered,
    disable,
    enable,
    register,
    rehash_password,
)
from tests.domain.specification import given

REGISTERED = UserRegistered(username="Ada", password_hash="$argon2id$1", email="ada@example.org")
DISABLED = UserDisabled(reason="left the company")


def test_a_free_username_is_registered_as_typed() -> None:
    registered = register(None, "Ada", "$argon2id$1", "ada@example.org")
    assert tuple(registered) == (REGISTERED,)
    assert given(USER, *registered).state == User(username="Ada", password_hash="$argon2id$1")


def test_a_taken_username_is_refused() -> None:
    given(USER, REGISTERED).when(lambda user: register(user, "ADA", "other", None)).then_refused(
        UsernameTakenError, "identity.username_taken"
    )


def test_the_username_of_a_disabled_user_stays_taken() -> None:
    given(USER, REGISTERED, DISABLED).when(lambda user: register(user, "Ada", "x", None)).then_refused(
        UsernameTakenError, "identity.username_taken"
    )


def test_a_password_is_rehashed_at_a_login() -> None:
    given(USER, REGISTERED).when(lambda user: rehash_password(user, "$argon2id$2")).then(
        PasswordRehashed(password_hash="$argon2id$2")
    )


def test_rehashing_keeps_a_disabled_user_disabled() -> None:
    user = given(USER, REGISTERED, DISABLED, PasswordRehashed(password_hash="new")).state
    assert user == User(username="Ada", password_hash="new", disabled=True)


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
