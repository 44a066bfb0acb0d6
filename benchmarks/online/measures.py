"""Measure the API beside Triton's own HTTP endpoint: same servers, same client, by turns."""

import asyncio
import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.online.client import Client, Reply, infer_request
from benchmarks.online.load import Send, closed_loop, open_loop, percentile
from benchmarks.processes import usage

MODEL = "wide"
_FEATURES = 64
_SMALL_CALLERS = 16
_LARGE_ROWS = 16_384
"""4 MiB of FP32."""
_LARGE_CALLERS = 4
_MOST_CALLERS = 16
_LIMIT_S = 30.0
_SAMPLE_S = 0.05


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
    """What it must reach; empty where it only explains another."""
    reached: bool
    """Whether it does."""


@dataclass(frozen=True, slots=True)
class Sides:
    """The two that are compared."""

    direct: Client
    """Triton's own HTTP endpoint."""
    ours: Client
    """The API."""
    headers: Mapping[str, str]
    """What the API wants besides."""
    api_pid: int
    """The API's process."""

    def send(self, side: str, rows: int) -> Send:
        """Return what sends one request of so many rows to a side."""
        client, headers = (
            (self.ours, self.headers) if side == "ours" else (self.direct, dict[str, str]())
        )
        features = np.random.default_rng(7).random((rows, _FEATURES), dtype=np.float32)
        request = infer_request(f"/v2/models/{MODEL}/infer", features, headers)

        async def one() -> Reply:
            return await client.send(request)

        return one


async def small(sides: Sides, *, seconds: float, turns: int) -> list[Figure]:
    """Measure requests of 64 numbers: rate, then what the API adds at half of its rate."""
    rates: dict[str, list[float]] = {"direct": [], "ours": []}
    for _ in range(turns):
        for side, found in rates.items():
            send = sides.send(side, 1)
            found.append(await closed_loop(send, connections=_SMALL_CALLERS, seconds=seconds))
    direct, ours = (statistics.median(found) for found in rates.values())
    rate = ours / 2
    latencies: dict[str, list[tuple[float, float]]] = {"direct": [], "ours": []}
    for _ in range(turns):
        for side, pairs in latencies.items():
            send = sides.send(side, 1)
            samples = await open_loop(send, rate=rate, seconds=seconds, limit_s=_LIMIT_S)
            pairs.append((percentile(samples, 0.5), percentile(samples, 0.99)))
    medians = {
        side: [statistics.median(values) * 1000 for values in zip(*pairs, strict=True)]
        for side, pairs in latencies.items()
    }
    p50 = medians["ours"][0] - medians["direct"][0]
    p99 = medians["ours"][1] - medians["direct"][1]
    ratio = ours / direct
    return [
        Figure("Triton's HTTP, small", direct, "requests/s", "", True),
        Figure("API, small", ours, "requests/s", "", True),
        Figure("API to Triton, small", ratio, "×", "≥ 0.35", ratio >= 0.35),
        Figure("added p50 at half of saturation", p50, "ms", "< 2 ms", p50 < 2),
        Figure("added p99 at half of saturation", p99, "ms", "< 10 ms", p99 < 10),
    ]


async def large(sides: Sides, *, seconds: float, turns: int) -> list[Figure]:
    """Measure requests of 4 MiB: rate, then memory while many are under way."""
    rates: dict[str, list[float]] = {"direct": [], "ours": []}
    for _ in range(turns):
        for side, found in rates.items():
            send = sides.send(side, _LARGE_ROWS)
            found.append(await closed_loop(send, connections=_LARGE_CALLERS, seconds=seconds))
    direct, ours = (statistics.median(found) for found in rates.values())
    ratio, grown = ours / direct, await _growth(sides, seconds) / 2**20
    return [
        Figure("Triton's HTTP, 4 MiB", direct, "requests/s", "", True),
        Figure("API, 4 MiB", ours, "requests/s", "", True),
        Figure("API to Triton, 4 MiB", ratio, "×", "≥ 0.8", ratio >= 0.8),
        Figure("API's memory, 16 at a time", grown, "MiB more", "< 64 MiB", grown < 64),
    ]


async def _growth(sides: Sides, seconds: float) -> float:
    """Return how much more memory the API has at most with 16 large requests under way."""
    before = most = usage(sides.api_pid).resident_bytes
    send = sides.send("ours", _LARGE_ROWS)
    load = asyncio.create_task(closed_loop(send, connections=_MOST_CALLERS, seconds=seconds))
    while not load.done():
        most = max(most, usage(sides.api_pid).resident_bytes)
        await asyncio.sleep(_SAMPLE_S)
    await load
    return most - before


def repository() -> Path:
    """Return the folder of the models that are measured."""
    return Path(__file__).parents[1] / "models"
