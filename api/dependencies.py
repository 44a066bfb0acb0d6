"""Open what requests are answered with. The composition root of the API's process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from api.checks import Check, PoolLook, RegistryLook
from api.settings import ApiSettings, Settings
from inference.pool import Pool, open_pool
from registry.catalog import Catalog
from registry.store import open_store


@dataclass(frozen=True, slots=True)
class Dependencies:
    """What every request may use."""

    catalog: Catalog
    """The registry."""
    pool: Pool
    """The Triton servers."""
    checks: tuple[Check, ...]
    """What the API cannot do without."""
    settings: ApiSettings
    """How requests are answered."""


@asynccontextmanager
async def open_dependencies(settings: Settings) -> AsyncIterator[Dependencies]:
    """Open everything for the length of the block.

    Servers that are away come back by themselves. A registry that cannot be opened is an error
    from the start, `RegistryUnavailable`: its settings are wrong, or its tables cannot be made.
    """
    store = open_store(settings.registry)
    try:
        async with open_pool(settings.inference) as pool:
            yield Dependencies(
                catalog=Catalog(store),
                pool=pool,
                checks=(
                    Check("registry", RegistryLook(store)),
                    Check("triton", PoolLook(pool.servers)),
                ),
                settings=settings.api,
            )
    finally:
        store.close()


def _of_app(request: Request) -> Dependencies:
    dependencies = request.app.state.dependencies
    assert isinstance(dependencies, Dependencies)
    return dependencies


Needs = Annotated[Dependencies, Depends(_of_app)]
"""The parameter of a route that uses any of them."""
