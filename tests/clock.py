"""The one place where freezegun's time becomes real: msgspec refuses to encode freezegun's own datetime class."""

from datetime import UTC, datetime

from freezegun import api  # not the class itself: freezegun replaces it in every module but its own


def clock() -> datetime:
    """Fills the port Clock. Under `freeze_time(..., real_asyncio=True)` it stands still."""
    return api.real_datetime.fromtimestamp(datetime.now(UTC).timestamp(), UTC)
