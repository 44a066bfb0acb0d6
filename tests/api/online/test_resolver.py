"""What names mean while the registry is away."""

import pytest

from api.online import port
from api.online.port import OnlineName
from api.online.resolver import Registered, Resolver
from api.online.whereabouts import Whereabouts
from registry.cache_aside import CacheAside
from registry.cache_local import LocalCache
from registry.cached import CachedCatalog, Lives
from registry.domain import ModelRef
from registry.errors import RegistryUnavailable
from registry.targets import Target
from tests.api.online.conftest import Site


class Flaky(CachedCatalog):
    """A cached catalog whose database goes away."""

    away = False

    async def target(self, ref: ModelRef) -> Target:
        if self.away:
            raise RegistryUnavailable("the database db.example is away")
        return await super().target(ref)


async def test_the_last_answer_stands_while_the_registry_is_away(site: Site) -> None:
    """Which version was live is known; what was never asked for is not."""
    catalog = site.registry.catalog
    cache = CacheAside(LocalCache(max_bytes=10_000, lease_s=1, commit_s=1), catalog.generation)
    flaky = Flaky(catalog, cache, Lives(1, 1, 1))
    whereabouts = Whereabouts(site.pools, look_again_s=1)
    resolver = Resolver(flaky, whereabouts, default_alias="champion")
    before = await resolver.resolve(OnlineName("flights"))
    flaky.away = True
    assert await resolver.resolve(OnlineName("flights")) == before
    assert isinstance(before, Registered)
    with pytest.raises(port.PoolAway, match=r"^the registry cannot be asked now$"):
        await resolver.resolve(OnlineName("flights", version=2))
