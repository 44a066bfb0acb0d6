"""Stores that every contract of the registry is held to."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from registry.port import Store
from registry.settings import RegistrySettings
from registry.store import open_store
from tests.contracts.audience import Heard
from tests.contracts.memory_store import MemoryStore


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path, heard: Heard) -> Iterator[Store]:
    """A registry store without rows, of each kind."""
    url = f"sqlite:///{tmp_path}/registry.db"
    if request.param == "postgres":
        url = request.getfixturevalue("postgres_url")
    found: Store = (
        MemoryStore(heard)
        if request.param == "memory"
        else open_store(RegistrySettings(database_url=url), heard)
    )
    yield found
    found.close()


@pytest.fixture
def heard() -> Heard:
    """Who hears what the store says of its writes."""
    return Heard()
