"""What happens at the same time: of two that cannot both be, one is (contract connectors 2.5, case C59)."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.conformance.connectors.client import App, hrefs, is_error

Ask = Callable[[], httpx.Response]


def at_once(*asks: Ask) -> Sequence[int]:
    """The status of each answer."""
    with ThreadPoolExecutor(len(asks)) as threads:
        return [answer.status_code for answer in threads.map(lambda ask: ask(), asks)]


def test_C8_of_many_identical_instances_one_is_made(app: App) -> None:
    assert sorted(at_once(*[app.try_instance] * 8)) == [201] + [409] * 7
    assert len(hrefs(app.get("/connectors/instances"))) == 1


def test_C59_of_many_identical_clients_one_is_made(with_instance: App) -> None:
    assert sorted(at_once(*[with_instance.try_client] * 8)) == [201] + [409] * 7
    assert len(hrefs(with_instance.get("/connectors/clients", "s1"))) == 1
    id = hrefs(with_instance.get("/connectors/clients", "s1"))[0].rpartition("/")[2]
    assert len(with_instance.becomes(id, "STARTED", things=1)["mappings"]) == 1
    assert len(hrefs(with_instance.get("/things", "s1"))) == 1


def test_a_client_is_removed_once_however_many_ask(with_instance: App) -> None:
    id, _ = with_instance.started("s1", "simulator", things=5)
    removed = at_once(*[lambda: with_instance.delete(f"/connectors/clients/{id}", "s1")] * 6)
    assert sorted(removed) == [204] + [404] * 5
    assert hrefs(with_instance.get("/things", "s1")) == []


def test_a_client_may_be_removed_before_the_worker_has_begun_with_it(with_instance: App) -> None:
    for _ in range(5):
        id = with_instance.new_client("s1", "simulator", things=3)
        assert with_instance.delete(f"/connectors/clients/{id}", "s1").status_code == 204
        assert hrefs(with_instance.get("/things", "s1")) == []
    id, _ = with_instance.started("s1")
    assert len(hrefs(with_instance.get("/things", "s1"))) == 1


@pytest.mark.parametrize("_", range(3))
def test_no_instance_goes_while_a_client_of_it_comes(app: App, _: int) -> None:
    instance = app.instance(tick_ms=100)
    path = f"/connectors/instances/{instance}"
    going, coming = at_once(lambda: app.delete(path), app.try_client)
    assert (going, coming) in [(204, 400), (409, 201)]
    if coming == 201:
        assert len(app.get(path).json()["clients"]) == 1
    else:
        is_error(app.get(path), 404, "CONNECTOR_INSTANCE_DOESNT_EXIST")
        assert hrefs(app.get("/connectors/clients", "s1")) == []


def test_what_is_asked_of_a_thing_while_it_goes_is_answered(with_instance: App) -> None:
    id, thing = with_instance.started()
    removed, *asked = at_once(
        lambda: with_instance.delete(f"/connectors/clients/{id}", "s1"),
        *[lambda: with_instance.act(thing, "lamp", "setOn", {"on": "true"})] * 4,
    )
    assert removed == 204
    assert set(asked) <= {201, 404}
    is_error(with_instance.get(f"/things/{thing}", "s1"), 404, "THING_DOESNT_EXIST")
