"""Give the registry's tests a signature and a catalog."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from registry.catalog import Catalog
from registry.domain import Signature, TensorSpec
from registry.settings import RegistrySettings
from registry.store import open_store

START = datetime(2026, 5, 3, 2, 0, tzinfo=UTC)


class Clock:
    """Tells a time that is one minute later at each look."""

    def __init__(self) -> None:
        self.looks = 0

    def __call__(self) -> datetime:
        self.looks += 1
        return START + timedelta(minutes=self.looks)


@pytest.fixture
def signature() -> Signature:
    return Signature(
        inputs=(TensorSpec("features", "FP32", (-1, 3)),),
        outputs=(TensorSpec("delay", "FP32", (-1, 1)),),
    )


@pytest.fixture
def settings(tmp_path: Path) -> RegistrySettings:
    return RegistrySettings(database_url=f"sqlite:///{tmp_path}/registry.db")


@pytest.fixture
def catalog(settings: RegistrySettings) -> Iterator[Catalog]:
    store = open_store(settings)
    yield Catalog(store, now=Clock())
    store.close()
