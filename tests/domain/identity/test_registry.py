from uuid import UUID

from domain.identity.registry import REGISTRY, NotFirstError, Registry, RegistryOpened, enter
from tests.domain.specification import given

ADA, BOB = UUID(int=1), UUID(int=2)
OPENED = RegistryOpened(user_id=ADA)


def test_the_first_account_opens_the_registry() -> None:
    given(REGISTRY).when(lambda registry: enter(registry, ADA, only_first=False)).then(OPENED)
    assert given(REGISTRY, OPENED).state == Registry(first=ADA)


def test_the_first_account_is_free_where_only_the_first_is() -> None:
    assert tuple(enter(None, ADA, only_first=True)) == (OPENED,)


def test_a_second_account_records_nothing_here() -> None:
    given(REGISTRY, OPENED).when(lambda registry: enter(registry, BOB, only_first=False)).then_nothing()


def test_a_second_account_is_refused_where_only_the_first_is_free() -> None:
    given(REGISTRY, OPENED).when(lambda registry: enter(registry, BOB, only_first=True)).then_refused(
        NotFirstError, "identity.not_first"
    )
