"""Time resolves and pages of a registry with a hundred thousand versions, in this process."""

import asyncio
import statistics
import time
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text

from registry.domain import ModelRef, Signature, TensorSpec
from registry.engine import open_engine
from registry.opening import Registry, open_registry
from registry.settings import RegistrySettings

_VERSIONS = 100_000
_PAGE = 100
_RESOLVES = 20_000
_READS = 300
_SIGNATURE = Signature(
    (TensorSpec("X", "FP32", (-1, 3)),), (TensorSpec("label", "INT64", (-1, 1)),), 65_536
)
_DRAFT: dict[str, Any] = {
    "signature": _SIGNATURE,
    "digest": f"sha256:{1:064x}",
    "served_name": "churn",
    "served_version": "1",
}
_OWN = {"number": "n", "content_sha256": "CAST(n AS VARCHAR(64))"}
"""What the copies of a version do not share."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One measurement beside what it must reach."""

    what: str
    """What was measured."""
    value: float
    """What came out."""
    unit: str
    """Its unit."""
    bound: str
    """What it must reach."""
    reached: bool
    """Whether it does."""


async def measured(settings: RegistrySettings, kind: str) -> list[Figure]:
    """Fill the empty registry that the settings name; return what reading from it takes.

    `kind` says in the figures which database it is.
    """
    async with open_registry(settings) as registry:
        await asyncio.to_thread(_fill, registry, settings)
        return [await warm_resolve(registry, kind), *await _pages(registry, kind)]


def _fill(registry: Registry, settings: RegistrySettings) -> None:
    """Register a model that is live, and one with many versions.

    The first of these is registered; the others are copies of its row, because a hundred thousand
    transactions would take minutes.
    """
    registry.catalog.register("churn", **_DRAFT, columns={"X": ("age", "visits", "spend")})
    registry.catalog.set_alias("churn", "champion", 1, by="bench", why="the first")
    registry.catalog.register("many", **_DRAFT)
    registry.fleet.create_pool("default", description="what the benchmark asks for")
    engine = open_engine(settings)
    with engine.begin() as connection:
        names = list(connection.execute(text("SELECT * FROM versions LIMIT 0")).keys())
        copied = ", ".join(_OWN.get(name, name) for name in names)
        connection.execute(
            text(
                f"INSERT INTO versions ({', '.join(names)}) WITH RECURSIVE numbers(n) AS "
                f"(SELECT 2 UNION ALL SELECT n + 1 FROM numbers WHERE n < {_VERSIONS}) "
                f"SELECT {copied} FROM versions, numbers WHERE number = 1 AND model_id = "
                "(SELECT id FROM models WHERE name = 'many')"
            )
        )
        connection.execute(
            text(f"UPDATE models SET last_version = {_VERSIONS} WHERE name = 'many'")
        )
        connection.execute(text("ANALYZE"))
    engine.dispose()


async def warm_resolve(registry: Registry, kind: str) -> Figure:
    """Time a resolve whose answer is kept, one at a time."""
    ref = ModelRef("churn", "champion", None)
    await registry.cached.resolve(ref)
    times = []
    for _ in range(_RESOLVES):
        begun = time.perf_counter()
        await registry.cached.resolve(ref)
        times.append(time.perf_counter() - begun)
    p50_ms = statistics.median(times) * 1000
    return Figure(f"{kind}: warm resolve, p50", p50_ms, "ms", "≤ 0.3 ms", p50_ms <= 0.3)


async def _pages(registry: Registry, kind: str) -> list[Figure]:
    """Time page 1 and page 1,000 of the versions by turns, so that both meet the same machine."""
    first: list[float] = []
    late: list[float] = []
    after = _VERSIONS - 999 * _PAGE + 1
    for _ in range(_READS):
        for times, key in ((first, None), (late, after)):
            begun = time.perf_counter()
            page = registry.catalog.versions("many", after=key, limit=_PAGE)
            times.append(time.perf_counter() - begun)
            assert len(page.items) == _PAGE
    one, thousand = (statistics.median(times) * 1000 for times in (first, late))
    ratio = thousand / one
    return [
        Figure(f"{kind}: page 1 of {_VERSIONS:,} versions, p50", one, "ms", "", True),
        Figure(f"{kind}: page 1,000, p50", thousand, "ms", "", True),
        Figure(f"{kind}: page 1,000 to page 1", ratio, "×", "0.8 to 1.2", 0.8 <= ratio <= 1.2),
    ]
