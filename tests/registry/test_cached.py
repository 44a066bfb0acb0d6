"""Check that the cached catalog answers as the catalog does, only faster."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from pydantic import SecretStr

from cli.stack.redis import LocalRedis
from registry.cache_aside import CacheAside
from registry.cache_local import LocalCache
from registry.cached import CachedCatalog, Lives
from registry.catalog import Catalog
from registry.domain import ModelRef, ModelVersion
from registry.errors import UnknownAlias, UnknownModel, UnknownPool, UnknownVersion
from registry.generations import EVERYTHING
from registry.opening import Registry, open_registry
from registry.settings import RegistrySettings
from tests.contracts.memory_store import MemoryStore
from tests.contracts.test_store import FIRST

LIVES = Lives(version_s=900, alias_s=60, absent_s=2)
LEASE_S = 10_000.0
CHAMPION = ModelRef.parse("flights@champion")


class CountingCatalog(Catalog):
    """A catalog that counts what it is asked."""

    asked = 0

    def resolve(self, ref: ModelRef) -> ModelVersion:
        self.asked += 1
        return super().resolve(ref)


class Clock:
    """Tells the time that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def _register(catalog: Catalog, number: int, name: str = "flights") -> ModelVersion:
    return catalog.register(
        name,
        signature=FIRST.signature,
        digest=f"sha256:{number:064x}",
        served_name="flights",
        served_version="1",
        columns=FIRST.columns,
        artifact="file:///flights.onnx",
        description="trees",
        tags={"kind": "trees"},
        by="ada",
    )


@pytest.fixture
def catalog() -> CountingCatalog:
    return CountingCatalog(MemoryStore())


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def local(clock: Clock) -> LocalCache:
    return LocalCache(max_bytes=10**6, lease_s=LEASE_S, commit_s=1, clock=clock)


@pytest.fixture
def cached(catalog: CountingCatalog, local: LocalCache) -> CachedCatalog:
    cache = CacheAside(local, catalog.generation)
    return CachedCatalog(catalog, cache, LIVES, chance=lambda: 0.0)


@asynccontextmanager
async def opened(folder: Path, redis: LocalRedis | None = None) -> AsyncIterator[Registry]:
    settings = RegistrySettings(
        database_url=f"sqlite:///{folder}/registry.db",
        redis_url=SecretStr(redis.url) if redis else None,
        cache_answer_timeout_s=5,
        cache_rest_s=0.01,
        cache_longest_rest_s=0.02,
        cache_lease_s=0.05,
    )
    async with open_registry(settings) as registry:
        yield registry


@pytest.mark.parametrize("text", ["flights@champion", "flights@1"])
async def test_one_question_is_enough(
    catalog: CountingCatalog, cached: CachedCatalog, text: str
) -> None:
    """What was answered once is not asked again, and comes back whole."""
    version = _register(catalog, 1)
    catalog.set_alias("flights", "champion", 1)
    for _ in range(5):
        assert await cached.resolve(ModelRef.parse(text)) == version
    assert catalog.asked == 1


@pytest.mark.parametrize(
    ("text", "life_s"), [("flights@1", 900), ("flights@champion", 60), ("flights@live", 2)]
)
async def test_answers_have_lives(
    catalog: CountingCatalog, cached: CachedCatalog, clock: Clock, text: str, life_s: float
) -> None:
    """Versions live long, aliases shortly, what is not there shorter still."""
    _register(catalog, 1)
    catalog.set_alias("flights", "champion", 1)

    async def ask() -> None:
        try:
            await cached.resolve(ModelRef.parse(text))
        except UnknownAlias:
            assert text == "flights@live"

    await ask()
    clock.now = life_s - 0.001
    await ask()
    assert catalog.asked == 1
    clock.now = life_s
    await ask()
    assert catalog.asked == 2


async def test_lives_differ_by_chance(
    catalog: CountingCatalog, local: LocalCache, clock: Clock
) -> None:
    """At most 15 % are taken off, so that not everything is asked anew at once."""
    cache = CacheAside(local, catalog.generation)
    cached = CachedCatalog(catalog, cache, LIVES, chance=lambda: 1.0)
    _register(catalog, 1)
    for now, asked in ((0.0, 1), (764.9, 1), (765.1, 2)):
        clock.now = now
        await cached.resolve(ModelRef.parse("flights@1"))
        assert catalog.asked == asked


async def test_what_is_not_there_is_told_as_the_catalog_does(
    catalog: CountingCatalog, cached: CachedCatalog
) -> None:
    """The first time as from memory: the same error, with the same names."""
    _register(catalog, 1)
    catalog.set_alias("flights", "champion", 1)
    for text, kind in (
        ("flight@1", UnknownModel),
        ("flights@2", UnknownVersion),
        ("flights@live", UnknownAlias),
    ):
        ref = ModelRef.parse(text)
        with pytest.raises(kind) as straight:
            catalog.resolve(ref)
        for _ in range(2):
            with pytest.raises(kind) as told:
                await cached.resolve(ref)
            assert str(told.value) == str(straight.value)
    assert catalog.asked == 6


@pytest.mark.parametrize(
    "change",
    [
        {"name": "other"},
        {"version": 2},
        {"version": True},
        {"version": "1"},
        {"signature": {"inputs": [], "outputs": []}},
        {"signature": {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1.5]}]}},
        {"columns": {"features": "ab"}},
        {"columns": {"features": [1]}},
        {"created_at": "2026-05-03T12:00:00"},
        {"created_at": "noon"},
        {"tags": ["a"]},
        {"digest": None},
        {"artifact": 1},
    ],
)
async def test_a_poisoned_version_is_a_miss(
    catalog: CountingCatalog, cached: CachedCatalog, local: LocalCache, change: dict[str, object]
) -> None:
    """JSON that is whole but not this version is asked for again, and replaced."""
    version = _register(catalog, 1)
    ref = ModelRef.parse("flights@1")
    await cached.resolve(ref)
    held = await local.read("flights", "version flights@1")
    assert held.value is not None
    assert held.generation is not None
    poison = b"+" + json.dumps(json.loads(held.value[1:]) | change).encode()
    await local.keep("flights", "version flights@1", poison, generation=held.generation, life_s=60)
    assert await cached.resolve(ref) == version
    assert await cached.resolve(ref) == version
    assert catalog.asked == 2


@pytest.mark.parametrize(
    "poison",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"{}",
        b"null",
        b"[" * 100_000,
        b"+" + b"[" * 100_000,
        b"+{}",
        b"+[]",
        b"-",
        b'-{"absent":"SystemExit","arguments":[]}',
        b'-{"absent":"UnknownAlias"}',
        b'-{"absent":"UnknownAlias","arguments":["flights","live"]}',
        b'-{"absent":"UnknownAlias","arguments":["flights","live",[null]]}',
        b'-{"absent":"UnknownVersion","arguments":["flights","1",[]]}',
        b'-{"absent":["UnknownAlias"],"arguments":["flights","live",[]]}',
    ],
)
async def test_nonsense_is_a_miss(
    catalog: CountingCatalog, cached: CachedCatalog, local: LocalCache, poison: bytes
) -> None:
    """Whatever bytes lie there, the answer is the catalog's."""
    version = _register(catalog, 1)
    present = catalog.generation("flights")
    await local.believe("flights", present, since=await local.now())
    await local.keep("flights", "version flights@1", poison, generation=present, life_s=60)
    assert await cached.resolve(ModelRef.parse("flights@1")) == version


async def test_five_hundred_misses_are_two_questions(
    catalog: CountingCatalog, cached: CachedCatalog
) -> None:
    """Who asks at once shares the answer."""
    version = _register(catalog, 1)
    catalog.set_alias("flights", "champion", 1)
    answers = await asyncio.gather(*(cached.resolve(CHAMPION) for _ in range(500)))
    assert answers == [version] * 500
    assert catalog.asked <= 2


async def _number(cached: CachedCatalog, load: Callable[[], int]) -> int:
    return await cached.kept(
        "flights", "champion", load, encode=lambda found: b"%d" % found, decode=int
    )


async def test_an_answer_that_comes_late_is_not_kept(tmp_path: Path) -> None:
    """Read before a change, kept after it, with other answers kept in between: never seen."""
    async with opened(tmp_path) as registry:
        catalog, read, go_on = registry.catalog, threading.Event(), threading.Event()
        for number in (1, 2):
            await asyncio.to_thread(_register, catalog, number)
        await asyncio.to_thread(catalog.set_alias, "flights", "champion", 1)

        def slowly() -> int:
            found = catalog.resolve(CHAMPION)
            read.set()
            assert go_on.wait(30)
            return found.version

        late = asyncio.create_task(_number(registry.cached, slowly))
        await asyncio.to_thread(read.wait, 30)
        await asyncio.to_thread(catalog.set_alias, "flights", "champion", 2)
        assert (await registry.cached.resolve(CHAMPION)).version == 2
        go_on.set()
        assert await late == 1
        found = await _number(registry.cached, lambda: catalog.resolve(CHAMPION).version)
        assert found == 2


async def test_anything_may_be_kept(catalog: CountingCatalog, cached: CachedCatalog) -> None:
    """Until something in its scope changes; what cannot be read again is loaded again."""
    made = 0

    def load() -> int:
        nonlocal made
        made += 1
        return made

    assert [await _number(cached, load) for _ in range(3)] == [1, 1, 1]
    found = [
        await cached.kept(EVERYTHING, "x", load, encode=lambda _: b"no number", decode=int)
        for _ in range(2)
    ]
    assert found == [2, 3]


async def test_what_is_not_there_is_kept_shortly(
    catalog: CountingCatalog, cached: CachedCatalog, clock: Clock
) -> None:
    """Whatever is asked for: the same error again, without asking, for two seconds."""
    made = 0

    def load() -> int:
        nonlocal made
        made += 1
        raise UnknownPool("night", ["default"])

    for now, times in ((0.0, 1), (1.99, 1), (2.0, 2)):
        clock.now = now
        with pytest.raises(UnknownPool, match=r"^unknown pool 'night'; known: default; "):
            await _number(cached, load)
        assert made == times


async def test_a_change_is_seen_at_once(tmp_path: Path) -> None:
    """Every change of the catalog is in the next answer, without waiting for a life to end."""
    async with opened(tmp_path) as registry:
        catalog, cached = registry.catalog, registry.cached
        with pytest.raises(UnknownModel):
            await cached.resolve(CHAMPION)
        first = await asyncio.to_thread(_register, catalog, 1)
        with pytest.raises(UnknownAlias):
            await cached.resolve(CHAMPION)
        await asyncio.to_thread(catalog.set_alias, "flights", "champion", 1)
        assert await cached.resolve(CHAMPION) == first
        second = await asyncio.to_thread(_register, catalog, 2)
        await asyncio.to_thread(catalog.set_alias, "flights", "champion", 2)
        assert await cached.resolve(CHAMPION) == second
        await asyncio.to_thread(catalog.delete_version, "flights", 1)
        with pytest.raises(UnknownVersion):
            await cached.resolve(ModelRef.parse("flights@1"))
        await asyncio.to_thread(catalog.delete_alias, "flights", "champion")
        with pytest.raises(UnknownAlias):
            await cached.resolve(CHAMPION)
        await asyncio.to_thread(catalog.delete_model, "flights")
        with pytest.raises(UnknownModel):
            await cached.resolve(CHAMPION)


async def test_a_change_in_the_loops_thread_is_refused(tmp_path: Path) -> None:
    """It would wait for itself; the error says what to do."""
    async with opened(tmp_path) as registry:
        with pytest.raises(RuntimeError, match="use to_thread"):
            _register(registry.catalog, 1)


async def test_processes_share_a_redis(
    tmp_path: Path, redis_factory: Callable[[], LocalRedis]
) -> None:
    """What one changes, the other sees with its next question."""
    redis = redis_factory()
    async with opened(tmp_path, redis) as one, opened(tmp_path, redis) as other:
        for number in (1, 2, 3):
            version = await asyncio.to_thread(_register, one.catalog, number)
            await asyncio.to_thread(one.catalog.set_alias, "flights", "champion", number)
            for registry in (other, one, other):
                assert await registry.cached.resolve(CHAMPION) == version


async def test_a_killed_redis_makes_it_slower_never_wrong(
    tmp_path: Path, redis_factory: Callable[[], LocalRedis]
) -> None:
    """Changes and questions go on without it, and with it again."""
    redis = redis_factory()
    async with opened(tmp_path, redis) as registry:
        for number in range(1, 13):
            if number % 4 == 0:
                redis.kill()
            if number % 4 == 2 and number > 2:
                redis.start()
            version = await asyncio.to_thread(_register, registry.catalog, number)
            await asyncio.to_thread(registry.catalog.set_alias, "flights", "champion", number)
            for _ in range(3):
                assert await registry.cached.resolve(CHAMPION) == version


async def test_a_redis_that_is_away_is_no_reason_not_to_start(tmp_path: Path) -> None:
    """The registry opens and answers without it."""
    settings = RegistrySettings(
        database_url=f"sqlite:///{tmp_path}/registry.db",
        redis_url=SecretStr("redis://127.0.0.1:1/0"),
    )
    async with open_registry(settings) as registry:
        version = await asyncio.to_thread(_register, registry.catalog, 1)
        assert await registry.cached.resolve(ModelRef.parse("flights@1")) == version
