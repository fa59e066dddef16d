"""What goes into headers of answers."""

import pytest

from entrypoints.connectors.exchange import location_header

ADDRESS = "https://login.example.com:8443/o/auth?scope=a%20b&state=x~1#top"


@pytest.mark.parametrize(
    ("told", "sent"),
    [
        (ADDRESS, ADDRESS),
        ("https://x.example/\r\nSet-Cookie: a=b", "https://x.example/%0D%0ASet-Cookie:%20a=b"),
        ("https://x.example/ü", "https://x.example/%C3%BC"),
        ("https://x.example/\0", "https://x.example/%00"),
    ],
)
def test_an_address_that_a_service_tells_is_one_header(told: str, sent: str) -> None:
    assert location_header(told) == (b"location", sent.encode())
