"""Open the registry that the environment names, for one command."""

from collections.abc import Iterator
from contextlib import contextmanager

from cli.api_client import opened_api
from cli.remote_catalog import RemoteCatalog
from cli.settings import ApiClientSettings
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


@contextmanager
def opened_registry() -> Iterator[Catalog | RemoteCatalog]:
    """Give the API's catalog where the environment names an API, else the database's."""
    if ApiClientSettings().url is None:
        with opened_catalog() as catalog:
            yield catalog
        return
    with opened_api() as api:
        yield RemoteCatalog(api)
