"""Measure the registry and its API: `make bench-registry`.

Three questions, each with what it must reach: how long a warm resolve through the cache takes in
one process, how many management reads a second the API answers beside a bare FastAPI route with
the same body each, and whether page 1,000 of 100,000 versions comes as fast as page 1.
"""

import asyncio
import json
import statistics
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from pydantic import SecretStr

from benchmarks import api_load
from benchmarks.registry_reads import Figure, measured, warm_resolve
from benchmarks.results import replace_file
from cli.stack.postgres import LocalPostgres
from cli.stack.redis import LocalRedis
from registry.opening import open_registry
from registry.schema import upgrade
from registry.settings import RegistrySettings

RESULTS = Path(__file__).parent / "results" / "registry.json"


async def _on_postgres(folder: Path) -> list[Figure]:
    with LocalPostgres(folder / "postgres", log=folder / "postgres.log") as server:
        settings = RegistrySettings(database_url=server.url())
        await asyncio.to_thread(upgrade, settings)
        figures = await measured(settings, "PostgreSQL")
        with LocalRedis(folder / "redis", log=folder / "redis.log") as redis:
            shared = settings.model_copy(update={"redis_url": SecretStr(redis.url)})
            async with open_registry(shared) as registry:
                return [*figures, await warm_resolve(registry, "Redis")]


async def _measured(folder: Path) -> list[Figure]:
    settings = RegistrySettings(database_url=f"sqlite:///{folder}/registry.db")
    figures = [*await measured(settings, "SQLite"), *await _on_postgres(folder)]
    for rates in await api_load.rates(settings, folder):
        figures.extend(_of_rates(rates))
    return figures


def _of_rates(rates: api_load.Rates) -> list[Figure]:
    share = statistics.median(rates.shares)
    told = f"GET {rates.path}, {rates.body_bytes:,} bytes"
    spread = f"{min(rates.shares):.2f} to {max(rates.shares):.2f}"
    return [
        Figure(told, statistics.median(rates.ours), "requests/s", "", True),
        Figure(
            "a bare route with that body", statistics.median(rates.bare), "requests/s", "", True
        ),
        Figure(f"share, {spread} in {len(rates.shares)}", share, "×", "≥ 0.6", share >= 0.6),
    ]


def main() -> None:
    """Print the table, keep the figures; exit with 1 when one is not reached."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)  # PostgreSQL, which is never root, goes through it
        figures = asyncio.run(_measured(Path(folder)))
    for figure in figures:
        missed = "" if figure.reached else "  MISSED"
        print(f"{figure.what:<60} {figure.value:>12,.3f} {figure.unit:<11} {figure.bound}{missed}")
    replace_file(RESULTS, json.dumps([asdict(figure) for figure in figures], indent=1) + "\n")
    sys.exit(0 if all(figure.reached for figure in figures) else 1)


if __name__ == "__main__":
    main()
