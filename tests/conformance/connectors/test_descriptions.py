"""Which connectors there are (cases C1–C5)."""

import httpx

from tests.conformance.connectors.client import is_error

KEYS = {
    "id",
    "type_id",
    "name",
    "description",
    "logo",
    "sample_instance_configuration",
    "sample_client_configuration",
}


def test_C1_descriptions_are_a_list_that_everybody_may_read(stranger: httpx.Client) -> None:
    answer = stranger.get("/connectors/descriptions")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert all(set(one) == KEYS for one in answer.json())
    assert (answer.json()[0]["id"], answer.json()[0]["type_id"]) == (1, "simulator")


def test_C2_a_sample_is_of_its_type(stranger: httpx.Client) -> None:
    for one in stranger.get("/connectors/descriptions").json():
        assert one["sample_instance_configuration"]["connector_type_id"] == one["type_id"]
        assert one["sample_client_configuration"]["connector_type_id"] == one["type_id"]


def test_C3_a_token_that_is_worth_nothing_is_no_hindrance(stranger: httpx.Client) -> None:
    assert stranger.get("/connectors/descriptions", headers={"Authorization": "Bearer nonsense"}).status_code == 200


def test_C4_a_description_is_found_by_number_and_by_type(stranger: httpx.Client) -> None:
    by_number, by_type = stranger.get("/connectors/descriptions/1"), stranger.get("/connectors/descriptions/simulator")
    assert by_number.status_code == by_type.status_code == 200
    assert by_number.json() == by_type.json()
    assert by_number.json()["type_id"] == "simulator"


def test_C5_there_is_no_description_999(stranger: httpx.Client) -> None:
    is_error(stranger.get("/connectors/descriptions/999"), 404, "CONNECTOR_DESCRIPTION_DOESNT_EXIST")
