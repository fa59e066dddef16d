"""One query for everybody who looks up the same kind of rows of now at the same time."""

from typing import TypeVar

from application.shared_lookup import SharedLookup
from projections.as_of import moment

K = TypeVar("K")
V = TypeVar("V")


class PresentLookup(SharedLookup[K, V]):
    """Who asks as of an earlier moment asks alone: nobody else asks for the same one."""

    async def find(self, key: K) -> V | None:
        return await super().find(key) if moment() is None else (await self.fetch({key})).get(key)
