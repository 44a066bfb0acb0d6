"""Open the registry that the environment names, for one command."""

from collections.abc import Iterator
from contextlib import contextmanager

from registry.catalog import Catalog
from registry.settings import RegistrySettings
from registry.store import open_store


@contextmanager
def opened_catalog() -> Iterator[Catalog]:
    """Give the catalog for the length of the block; raises `RegistryUnavailable`."""
    store = open_store(RegistrySettings())
    try:
        yield Catalog(store)
    finally:
        store.close()
