"""Have the registry be away, as a database behind a network can."""

from contextlib import AbstractContextManager

from registry.errors import RegistryUnavailable
from tests.contracts.memory_store import MemoryRows, MemoryStore


class StoreAway(MemoryStore):
    """A registry in memory that can be away."""

    def __init__(self, there: MemoryStore) -> None:
        super().__init__()
        self._there = there
        self.is_away = False
        """Whether it refuses to read and write."""

    def reading(self) -> AbstractContextManager[MemoryRows]:  # type: ignore[override]  # theirs is a generator's
        self._check()
        return self._there.reading()

    def writing(self) -> AbstractContextManager[MemoryRows]:  # type: ignore[override]  # as above
        self._check()
        return self._there.writing()

    def _check(self) -> None:
        if self.is_away:
            raise RegistryUnavailable("the network is cut")
