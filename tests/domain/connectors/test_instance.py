from uuid import UUID

from domain.connectors.instance import (
    INSTANCE,
    ClientAttached,
    ClientDetached,
    Instance,
    InstanceCreated,
    InstanceInstallationDelayed,
    InstanceInstallationFailed,
    InstanceInstalled,
    InstanceInUseError,
    InstanceRemoved,
    delay_installation,
    fail_installation,
    install,
    remove,
)
from tests.domain.specification import given

CREATED = InstanceCreated(owner="o1", type_id="lamps", configuration={"seed": 1})
DELAYED = InstanceInstallationDelayed(step="text", content="wait")
A, B = UUID(int=1), UUID(int=2)


def existing(instance: Instance | None) -> Instance:
    assert instance is not None
    return instance


def test_it_is_installed_once() -> None:
    given(INSTANCE, CREATED).when(install).then(InstanceInstalled())
    assert existing(given(INSTANCE, CREATED, InstanceInstalled()).state).installation == "complete"


def test_its_service_may_want_something_first() -> None:
    given(INSTANCE, CREATED).when(lambda instance: delay_installation(instance, "text", "wait")).then(DELAYED)
    given(INSTANCE, CREATED, DELAYED).when(install).then(InstanceInstalled())


def test_a_late_word_that_something_is_wanted_overwrites_nothing() -> None:
    done = given(INSTANCE, CREATED, InstanceInstalled())
    done.when(lambda instance: delay_installation(instance, "text", "wait")).then_nothing()


def test_an_installation_that_failed_may_still_succeed() -> None:
    failed = InstanceInstallationFailed(reason="no")
    given(INSTANCE, CREATED).when(lambda instance: fail_installation(instance, "no")).then(failed)
    given(INSTANCE, CREATED, failed).when(install).then(InstanceInstalled())


def test_it_stays_while_clients_are_attached() -> None:
    attached = given(INSTANCE, CREATED, ClientAttached(client_id=A), ClientAttached(client_id=B))
    used = attached.and_then(ClientDetached(client_id=A))
    used.when(lambda instance: remove(existing(instance))).then_refused(
        InstanceInUseError, "connectors.instance_in_use"
    )
    free = used.and_then(ClientDetached(client_id=B))
    assert remove(existing(free.state)) == (InstanceRemoved(),)
    assert free.and_then(InstanceRemoved()).state is None


def test_nothing_happens_to_what_is_not_there() -> None:
    given(INSTANCE).when(install).then_nothing()
    given(INSTANCE).when(lambda instance: delay_installation(instance, "text", "wait")).then_nothing()
    given(INSTANCE).when(lambda instance: fail_installation(instance, "no")).then_nothing()
