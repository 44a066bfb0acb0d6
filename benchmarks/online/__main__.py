"""Run the measurements of online requests, print them, keep them."""

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.machine import commit, machine, packages
from benchmarks.online.batch import batch_side
from benchmarks.online.client import Client
from benchmarks.online.figures import Figure, table
from benchmarks.online.measures import Sides, large, peers, small, stall, with_batch
from benchmarks.online.mlserver import ENVIRONMENT, MODELS, running_mlserver
from benchmarks.online.sides import MODEL, Side
from benchmarks.online.site import bearer, register, running_api
from benchmarks.results import replace_file
from benchmarks.table import replace_part
from cli.settings import LocalSettings
from cli.stack.triton import LocalTriton

_FOLDER = Path(__file__).parents[1]
RESULTS = _FOLDER / "results" / "online.json"
PAGE = _FOLDER / "README.md"
_PACKAGES = ("fastapi", "grpcio", "orjson", "starlette", "uvicorn")
CASES: dict[str, Callable[[Sides], Awaitable[list[Figure]]]] = {
    "small": small,
    "peers": peers,
    "large": large,
    "stall": stall,
    "batch": with_batch,
}


def main() -> int:
    """Return 0 where everything reaches its bound."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=4.0, help="length of one turn")
    parser.add_argument("--turns", type=int, default=5, help="turns of each side")
    parser.add_argument("--only", help=f"some of these, by commas: {', '.join(CASES)}")
    parser.add_argument("--keep", action="store_true", help="keep the figures, write the table")
    given = parser.parse_args()
    wanted = given.only.split(",") if given.only else list(CASES)
    if unknown := [name for name in wanted if name not in CASES]:
        parser.error(f"no case {', '.join(unknown)}: there are {', '.join(CASES)}")
    figures = asyncio.run(_measured(given.seconds, given.turns, wanted))
    for each in figures:
        bound = f"   {each.bound}: {'yes' if each.reached else 'NO'}" if each.bound else ""
        spread = f"{each.low:.2f} to {each.high:.2f}"
        sys.stdout.write(f"{each.what:<52} {each.value:>11.2f} {each.unit:<11} {spread}{bound}\n")
    if given.keep:
        _keep(figures, f"python -m benchmarks.online {' '.join(sys.argv[1:])}")
    return 0 if all(each.reached for each in figures) else 1


async def _measured(seconds: float, turns: int, wanted: list[str]) -> list[Figure]:
    local = LocalSettings()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as running:
        state = Path(folder)
        triton = running.enter_context(
            LocalTriton(MODELS, local.triton_env_dir, models=[MODEL], state_dir=state / "triton")
        )
        # A log of its own for each process; the registry is the same.
        logs = {"NIGHTSHIFT_DATA_DIR": str(state / "other")}
        one = running.enter_context(running_api(state, [triton.grpc_url]))
        other = running.enter_context(running_api(state, [triton.grpc_url], more=logs))
        register(one.port, MODEL)
        peer: Side | None = None
        if ENVIRONMENT.is_dir() and "peers" in wanted:
            port = running.enter_context(running_mlserver(state / "mlserver", MODEL))
            peer = Side("MLServer", [Client(port)], {})
        ours = Client(one.port)
        async with batch_side(triton.grpc_url, MODEL) as batch:
            sides = Sides(
                direct=Side("Triton's HTTP", [Client(triton.ports.http)], {}),
                ours=Side("API", [ours], bearer()),
                two=Side("API in two processes", [ours, Client(other.port)], bearer()),
                mlserver=peer,
                api_pid=one.pid,
                batch=batch,
                seconds=seconds,
                turns=turns,
            )
            figures: list[Figure] = []
            for name in wanted:
                figures += await CASES[name](sides)
            return figures


def _keep(figures: list[Figure], command: str) -> None:
    versions = packages(_PACKAGES)
    told = {
        "machine": machine(),
        "versions": versions,
        "command": command,
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        **commit(_FOLDER),
        "figures": [asdict(each) for each in figures],
    }
    replace_file(RESULTS, json.dumps(told, indent=1, ensure_ascii=False) + "\n")
    named = ", ".join(f"{name} {version}" for name, version in versions.items())
    lines = table(figures, named, command)
    replace_file(PAGE, replace_part(PAGE.read_text(), "online", lines))


if __name__ == "__main__":
    sys.exit(main())
