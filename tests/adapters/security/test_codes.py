from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from adapters.security.codes import ConsentCodes

CODES = ConsentCodes("one key")


@given(client_id=st.uuids())
def test_a_code_leads_to_its_client_and_is_the_same_each_time(client_id: UUID) -> None:
    code = CODES.code(client_id)
    assert CODES.client_of(code) == client_id
    assert ConsentCodes("one key").code(client_id) == code
    assert ConsentCodes("another key").client_of(code) is None


@given(code=st.text())
def test_other_texts_lead_nowhere(code: str) -> None:
    assert CODES.client_of(code) is None


def test_no_other_spelling_of_the_same_bytes_is_taken() -> None:
    code = CODES.code(UUID(int=1))
    for other in (code + "=", code + "==", code + "\n", " " + code):
        assert CODES.client_of(other) is None
