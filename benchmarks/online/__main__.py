"""Run the measurements of online requests, print them, keep them."""

import argparse
import asyncio
import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from benchmarks.machine import machine
from benchmarks.online.client import Client
from benchmarks.online.measures import MODEL, Figure, Sides, large, repository, small
from benchmarks.online.site import bearer, running_api
from benchmarks.results import replace_file
from cli.settings import LocalSettings
from cli.stack.triton import LocalTriton

RESULTS = Path(__file__).parents[1] / "results" / "online.json"


def main() -> int:
    """Return 0 where everything reaches its bound."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=4.0, help="length of one turn")
    parser.add_argument("--turns", type=int, default=3, help="turns of each side")
    parser.add_argument("--only", choices=("small", "large"))
    parser.add_argument("--keep", action="store_true", help="keep the figures")
    given = parser.parse_args()
    figures = _measure(given.seconds, given.turns, given.only)
    for each in figures:
        bound = f"   {each.bound}: {'yes' if each.reached else 'NO'}" if each.bound else ""
        sys.stdout.write(f"{each.what:<34} {each.value:>10.2f} {each.unit:<12}{bound}\n")
    if given.keep:
        told = {"machine": machine(), "figures": [asdict(each) for each in figures]}
        replace_file(RESULTS, json.dumps(told, indent=1, ensure_ascii=False) + "\n")
    return 0 if all(each.reached for each in figures) else 1


def _measure(seconds: float, turns: int, only: str | None) -> list[Figure]:
    local = LocalSettings()
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder)
        triton = LocalTriton(
            repository(), local.triton_env_dir, models=[MODEL], state_dir=state / "triton"
        )
        with triton, running_api(state, [triton.grpc_url]) as api:

            async def measured() -> list[Figure]:
                direct, ours = Client(triton.ports.http), Client(api.port)
                sides = Sides(direct, ours, bearer(), api.pid)
                figures: list[Figure] = []
                for name, measure in (("small", small), ("large", large)):
                    if only in (None, name):
                        figures += await measure(sides, seconds=seconds, turns=turns)
                direct.close()
                ours.close()
                return figures

            return asyncio.run(measured())


if __name__ == "__main__":
    sys.exit(main())
