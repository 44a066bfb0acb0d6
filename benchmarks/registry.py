"""Measure the registry and its API: `make bench-registry`.

Three questions, each with what it must reach: how long a warm resolve through the cache takes in
one process, how many management reads a second the API answers beside a bare FastAPI route with
the same body, and whether page 1,000 of 100,000 versions comes as fast as page 1.
"""

import asyncio
import json
import sqlite3
import statistics
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks import api_load
from benchmarks.results import replace_file
from registry.domain import ModelRef, Signature, TensorSpec
from registry.opening import Registry, open_registry
from registry.settings import RegistrySettings

RESULTS = Path(__file__).parent / "results" / "registry.json"
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


async def _warm_resolve(registry: Registry) -> Figure:
    """Time a resolve whose answer is kept, one at a time, in this process."""
    ref = ModelRef("churn", "champion", None)
    await registry.cached.resolve(ref)
    times = []
    for _ in range(_RESOLVES):
        begun = time.perf_counter()
        await registry.cached.resolve(ref)
        times.append(time.perf_counter() - begun)
    p50_ms = statistics.median(times) * 1000
    return Figure("warm resolve, p50", p50_ms, "ms", "≤ 0.3 ms", p50_ms <= 0.3)


async def _pages(registry: Registry) -> list[Figure]:
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
        Figure(f"page 1 of {_VERSIONS:,} versions, p50", one, "ms", "", True),
        Figure("page 1,000, p50", thousand, "ms", "", True),
        Figure("page 1,000 to page 1", ratio, "×", "0.8 to 1.2", 0.8 <= ratio <= 1.2),
    ]


def _fill(registry: Registry, database: Path) -> None:
    """Register a model that is live, and one with many versions.

    The first of these is registered; the others are copies of its row, because a hundred thousand
    transactions would take minutes.
    """
    registry.catalog.register("churn", **_DRAFT, columns={"X": ("age", "visits", "spend")})
    registry.catalog.set_alias("churn", "champion", 1, by="bench", why="the first")
    registry.catalog.register("many", **_DRAFT)
    with sqlite3.connect(database) as connection:
        connection.row_factory = sqlite3.Row
        many = "(SELECT id FROM models WHERE name = 'many')"
        first = dict(
            connection.execute(f"SELECT * FROM versions WHERE model_id = {many}").fetchone()
        )
        names = ", ".join(first)
        marks = ", ".join(f":{name}" for name in first)
        copies = (
            first | {"number": number, "content_sha256": f"{number:064x}"}
            for number in range(2, _VERSIONS + 1)
        )
        connection.executemany(f"INSERT INTO versions ({names}) VALUES ({marks})", copies)
        connection.execute("UPDATE models SET last_version = ? WHERE name = 'many'", [_VERSIONS])
        connection.execute("ANALYZE")
    connection.close()


async def _measured(folder: Path) -> list[Figure]:
    settings = RegistrySettings(database_url=f"sqlite:///{folder}/registry.db")
    async with open_registry(settings) as registry:
        await asyncio.to_thread(_fill, registry, folder / "registry.db")
        figures = [await _warm_resolve(registry), *await _pages(registry)]
    rates = await api_load.rates(settings, folder)
    for path, rate in rates.items():
        if path != api_load.BARE:
            share = rate / rates[api_load.BARE]
            figures.append(Figure(f"GET {path}", rate, "requests/s", "", True))
            figures.append(Figure("of the bare route's", share, "×", "≥ 0.6", share >= 0.6))
    figures.append(Figure("bare FastAPI route", rates[api_load.BARE], "requests/s", "", True))
    return figures


def main() -> None:
    """Print the table, keep the figures; exit with 1 when one is not reached."""
    with tempfile.TemporaryDirectory() as folder:
        figures = asyncio.run(_measured(Path(folder)))
    for figure in figures:
        missed = "" if figure.reached else "  MISSED"
        print(f"{figure.what:<45} {figure.value:>12,.3f} {figure.unit:<11} {figure.bound}{missed}")
    replace_file(RESULTS, json.dumps([asdict(figure) for figure in figures], indent=1) + "\n")
    sys.exit(0 if all(figure.reached for figure in figures) else 1)


if __name__ == "__main__":
    main()
