from uuid import UUID

from domain.devices.external_id import (
    EXTERNAL_ID,
    ExternalId,
    ExternalIdClaimed,
    ExternalIdReleased,
    ExternalIdTakenError,
    claim,
    release,
)
from tests.domain.specification import given

DEVICE = UUID("3814fb88-565c-5dc8-9b91-60d4002b6edc")
OTHER_DEVICE = UUID("007c79f3-33f0-5a0c-9713-70921f69f8ce")
CLAIMED = ExternalIdClaimed(external_id="b-7", device_id=DEVICE)
RELEASED = ExternalIdReleased(device_id=DEVICE)


def test_a_free_external_id_is_claimed_once() -> None:
    given(EXTERNAL_ID).when(lambda held: claim(held, "b-7", DEVICE)).then(CLAIMED)
    assert given(EXTERNAL_ID, CLAIMED).state == ExternalId(external_id="b-7", device_id=DEVICE)


def test_an_external_id_is_not_given_to_a_second_device() -> None:
    given(EXTERNAL_ID, CLAIMED).when(lambda held: claim(held, "b-7", OTHER_DEVICE)).then_refused(
        ExternalIdTakenError, "devices.external_id_taken"
    )


def test_a_released_external_id_is_free_for_another_device() -> None:
    given(EXTERNAL_ID, CLAIMED).when(lambda held: release(held, DEVICE)).then(RELEASED)
    given(EXTERNAL_ID, CLAIMED, RELEASED).when(lambda held: claim(held, "b-7", OTHER_DEVICE)).then(
        ExternalIdClaimed(external_id="b-7", device_id=OTHER_DEVICE)
    )


def test_nobody_releases_what_another_device_holds() -> None:
    given(EXTERNAL_ID, CLAIMED).when(lambda held: release(held, OTHER_DEVICE)).then_nothing()
    given(EXTERNAL_ID).when(lambda held: release(held, DEVICE)).then_nothing()
