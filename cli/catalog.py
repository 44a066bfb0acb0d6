"""Open the registry that the environment names, for one command."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cli.api_client import opened_api
from cli.remote_catalog import RemoteCatalog
from cli.remote_routing import RemoteRouting
from cli.settings import ApiClientSettings
from registry.catalog import Catalog
from registry.errors import RegistryError
from registry.routing import Routing
from registry.settings import RegistrySettings
from registry.store import SqlStore, open_store


class NoRegistry(RegistryError):
    """There is no registry where one was looked for."""

    def __init__(self, place: Path) -> None:
        super().__init__(
            f"no registry at {place}: work in the folder whose .nightshift holds it, name it with "
            "NIGHTSHIFT_DATABASE_URL, or begin one with `nightshift models register NAME --onnx "
            "FILE`"
        )
        self.place = place
        """The file that is not there."""


def registry_place() -> str:
    """Say where the registry is, without a password."""
    if api := ApiClientSettings().url:
        return f"the API at {api}"
    file = _registry_file()
    return str(file) if file else "the database that NIGHTSHIFT_DATABASE_URL names"


def _registry_file() -> Path | None:
    """Return the file of a registry in SQLite; None for any other."""
    kind, _, rest = RegistrySettings().database_url.partition(":///")
    path = rest.partition("?")[0]
    if kind.partition("+")[0] != "sqlite" or path in ("", ":memory:") or path.startswith("file:"):
        return None
    return Path(path).absolute()


@contextmanager
def opened_catalog(*, existing: bool = False) -> Iterator[Catalog]:
    """Give the catalog for the length of the block.

    A registry in SQLite that is not there yet is made; where it must be `existing`, that is
    `NoRegistry`, and nothing is written. Raises `RegistryUnavailable`.
    """
    with _opened_store(existing=existing) as store:
        yield Catalog(store)


@contextmanager
def opened_routing() -> Iterator[Routing | RemoteRouting]:
    """Give the routes of the API where the environment names one, else the database's."""
    if ApiClientSettings().url is None:
        with _opened_store(existing=True) as store:
            yield Routing(store)
        return
    with opened_api() as api:
        yield RemoteRouting(api)


@contextmanager
def opened_registry(*, existing: bool = False) -> Iterator[Catalog | RemoteCatalog]:
    """Give the API's catalog where the environment names an API, else the database's."""
    if ApiClientSettings().url is None:
        with opened_catalog(existing=existing) as catalog:
            yield catalog
        return
    with opened_api() as api:
        yield RemoteCatalog(api)


@contextmanager
def _opened_store(*, existing: bool) -> Iterator[SqlStore]:
    file = _registry_file()
    if existing and file is not None and not file.exists():
        raise NoRegistry(file)
    store = open_store(RegistrySettings())
    try:
        yield store
    finally:
        store.close()
