from datetime import date
from uuid import UUID

import pytest

from domain.identifiers import device_id_of_mac, external_device_id, metric_id, readings_id, reports_id, user_id


@pytest.mark.parametrize(
    ("mac_address", "device"),
    [
        ("aa:bb:cc:dd:ee:ff", "3814fb88-565c-5dc8-9b91-60d4002b6edc"),
        ("AA-BB-CC-DD-EE-FF", "3814fb88-565c-5dc8-9b91-60d4002b6edc"),
        ("aabbccddeeff", "3814fb88-565c-5dc8-9b91-60d4002b6edc"),
        ("00:11:22:33:44:55", "007c79f3-33f0-5a0c-9713-70921f69f8ce"),
    ],
)
def test_the_id_of_a_device_follows_from_its_mac_address_however_it_is_spelled(mac_address: str, device: str) -> None:
    assert device_id_of_mac(mac_address) == UUID(device)


def test_one_username_has_one_id_whatever_its_capitals() -> None:
    assert user_id("Ada") == user_id("ADA") == user_id("ada")
    assert user_id("Straße") == user_id("STRASSE")
    assert user_id("ada") != user_id("bob")


def test_the_ids_made_from_natural_keys_never_change() -> None:
    # They are stored: another id for the same key would be another aggregate.
    assert user_id("ada") == UUID("6bbfa96b-e8aa-5ad8-8f39-5dac081b385f")
    assert external_device_id("b-7") == UUID("baa4de2d-1291-54a5-a4c3-0cdd186b2624")
    device = UUID("3814fb88-565c-5dc8-9b91-60d4002b6edc")
    assert readings_id(device, date(2026, 1, 14)) == UUID("a4168e97-fd80-573f-a948-16c3a96cbece")
    assert reports_id(device, date(2026, 1, 14)) == UUID("6c4d0d44-ccc0-5118-93c2-acab7d9a763a")
    assert metric_id("caffeine.level") == UUID("3ad5bd9f-72ee-5ad0-a449-e472d767511a")


def test_external_ids_are_told_apart_by_every_character() -> None:
    texts = ("b-7", "B-7", "b-7 ", "b-70")
    assert len({external_device_id(text) for text in texts}) == len(texts)


def test_readings_of_another_day_or_device_are_another_stream() -> None:
    device, other = device_id_of_mac("aa:bb:cc:dd:ee:ff"), device_id_of_mac("00:11:22:33:44:55")
    days = (date(2026, 1, 14), date(2026, 1, 15))
    assert len({readings_id(id, day) for id in (device, other) for day in days}) == 4
