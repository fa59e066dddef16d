from collections.abc import AsyncIterator

import pytest

from tests.application.logs import FakeLogUnderTest, LogUnderTest, PostgresLogUnderTest


@pytest.fixture(params=["postgres", "fake"])
async def log(request: pytest.FixtureRequest) -> AsyncIterator[LogUnderTest]:
    """A fresh log: the real one, then the fake, so that the fake stays honest."""
    if request.param == "fake":
        yield FakeLogUnderTest()
        return
    real = PostgresLogUnderTest(request.getfixturevalue("database_url"))
    yield real
    await real.close()


@pytest.fixture
async def postgres_log(database_url: str) -> AsyncIterator[PostgresLogUnderTest]:
    real = PostgresLogUnderTest(database_url)
    yield real
    await real.close()
