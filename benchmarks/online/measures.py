"""Measure the API beside Triton's own HTTP endpoint: same servers, same client, by turns."""

import asyncio
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.online.batch import BatchSide
from benchmarks.online.figures import Figure, figure
from benchmarks.online.load import Send, closed_loop, open_loop, percentile
from benchmarks.online.sides import Side, rates
from benchmarks.processes import usage

_SMALL_CALLERS = 16
_LARGE_ROWS = 16_384
"""4 MiB of FP32."""
_LARGE_CALLERS = 4
_MOST_CALLERS = 16
_JSON_ROWS = 8_192
"""Some 10 MB of JSON."""
_BESIDE_JSON = 50.0
"""Small requests a second beside it."""
_ONLINE_SHARE = 0.2
_LIMIT_S = 30.0
_SAMPLE_S = 0.05


@dataclass(frozen=True, slots=True)
class Sides:
    """Those that are compared."""

    direct: Side
    """Triton's own HTTP endpoint."""
    ours: Side
    """One process of the API."""
    two: Side
    """Two processes of it."""
    mlserver: Side | None
    """MLServer with an equal model; None where it is not built."""
    api_pid: int
    """The process of `ours`."""
    batch: BatchSide
    """What scores as a job does, on the same Triton."""
    seconds: float
    """Length of a turn."""
    turns: int
    """Turns of each."""


async def small(sides: Sides) -> list[Figure]:
    """Measure binary requests of 64 numbers: rate, then what we add at half of our rate."""
    compared = (sides.direct, sides.ours, sides.two)
    sends = {side.name: side.sends(1) for side in compared}
    found = await _rates(sides, sends)
    figures = [
        figure(f"{name}, 64 numbers", values, "requests/s") for name, values in found.items()
    ]
    direct = found[sides.direct.name]
    for side in compared[1:]:
        shares = _ratios(found[side.name], direct)
        figures.append(figure(f"{side.name} to Triton", shares, "×", least=0.35))
    half = statistics.median(found[sides.ours.name]) / 2
    added: dict[float, list[float]] = {0.5: [], 0.99: []}
    for _ in range(sides.turns):
        for share, value in zip(added, await _added(sides, half), strict=True):
            added[share].append(value)
    told = f"added at half of that ({half:.0f}/s)"
    return [
        *figures,
        figure(f"{told}, p50", added[0.5], "ms", below=2),
        figure(f"{told}, p99", added[0.99], "ms", below=10),
    ]


async def peers(sides: Sides) -> list[Figure]:
    """Measure the same requests in JSON, which MLServer takes as well."""
    compared = [side for side in (sides.direct, sides.ours, sides.mlserver) if side is not None]
    found = await _rates(sides, {side.name: side.sends(1, in_json=True) for side in compared})
    return [
        figure(f"{name}, 64 numbers in JSON", values, "requests/s")
        for name, values in found.items()
    ]


async def large(sides: Sides) -> list[Figure]:
    """Measure binary requests of 4 MiB: rate, then memory while many are under way."""
    before = usage(sides.api_pid).resident_bytes
    sends = {side.name: side.sends(_LARGE_ROWS) for side in (sides.direct, sides.ours)}
    found = await _rates(sides, sends, callers=_LARGE_CALLERS)
    figures = [figure(f"{name}, 4 MiB", values, "requests/s") for name, values in found.items()]
    shares = _ratios(found[sides.ours.name], found[sides.direct.name])
    # What an allocator once has it keeps: only the most of all turns says what was needed.
    most = max([await _most_bytes(sides) for _ in range(sides.turns)])
    return [
        *figures,
        figure("API to Triton, 4 MiB", shares, "×", least=0.8),
        figure(
            "API's memory, 16 of 4 MiB at a time, more by",
            [(most - before) / 2**20],
            "MiB",
            below=64,
        ),
    ]


async def stall(sides: Sides) -> list[Figure]:
    """Measure small requests alone, then beside JSON of 10 MB, one after the other."""
    send, json = sides.ours.sends(1), sides.ours.sends(_JSON_ROWS, in_json=True)
    await json()  # starts the process that reads it
    alone, beside = list[float](), list[float]()
    for _ in range(sides.turns):
        alone.append(await _p99_ms(send, _BESIDE_JSON, sides.seconds))
        reading = asyncio.create_task(closed_loop(json, connections=1, seconds=sides.seconds))
        beside.append(await _p99_ms(send, _BESIDE_JSON, sides.seconds))
        await reading
    return [
        figure("p99 of small requests, alone", alone, "ms"),
        figure("the same beside JSON of 10 MB without a pause", beside, "ms"),
    ]


async def with_batch(sides: Sides) -> list[Figure]:
    """Measure small requests at a fifth of our rate, with and without batch flat out beside."""
    send = sides.ours.sends(1)
    most = await closed_loop(send, connections=_SMALL_CALLERS, seconds=sides.seconds)
    rate = most * _ONLINE_SHARE
    await sides.batch.rate(sides.seconds)  # not counted: the pace is found
    idle, beside = list[float](), list[float]()
    alone, shared = list[float](), list[float]()
    for _ in range(sides.turns):
        idle.append(await _p99_ms(send, rate, sides.seconds))
        alone.append(await sides.batch.rate(sides.seconds))
        scoring = asyncio.create_task(sides.batch.rate(sides.seconds))
        beside.append(await _p99_ms(send, rate, sides.seconds))
        shared.append(await scoring)
    told = f"{rate:.0f} small requests/s"
    return [
        figure(f"p99 of {told}, alone", idle, "ms"),
        figure("the same beside batch", beside, "ms"),
        figure("that to alone", _ratios(beside, idle), "×", below=1.5),
        figure("batch alone", alone, "rows/s"),
        figure(f"batch beside {told}", shared, "rows/s"),
        figure("that to alone", _ratios(shared, alone), "×", least=0.6),
    ]


async def _rates(
    sides: Sides, sends: dict[str, Send], callers: int = _SMALL_CALLERS
) -> dict[str, list[float]]:
    return await rates(sends, callers=callers, seconds=sides.seconds, turns=sides.turns)


async def _added(sides: Sides, rate: float) -> list[float]:
    """Return what the API adds to p50 and p99 at this rate, in ms."""
    both = []
    for side in (sides.direct, sides.ours):
        samples = await open_loop(side.sends(1), rate=rate, seconds=sides.seconds, limit_s=_LIMIT_S)
        both.append([percentile(samples, share) * 1000 for share in (0.5, 0.99)])
    return [ours - direct for direct, ours in zip(*both, strict=True)]


async def _p99_ms(send: Send, rate: float, seconds: float) -> float:
    samples = await open_loop(send, rate=rate, seconds=seconds, limit_s=_LIMIT_S)
    failed = [sample.status for sample in samples if sample.status != 200]
    if failed:
        raise RuntimeError(f"{len(failed)} of {len(samples)} requests failed: {failed[:5]}")
    return percentile(samples, 0.99) * 1000


async def _most_bytes(sides: Sides) -> int:
    """Return the most memory that the API has with 16 large requests under way."""
    most = 0
    send = sides.ours.sends(_LARGE_ROWS)
    load = asyncio.create_task(closed_loop(send, connections=_MOST_CALLERS, seconds=sides.seconds))
    while not load.done():
        most = max(most, usage(sides.api_pid).resident_bytes)
        await asyncio.sleep(_SAMPLE_S)
    await load
    return most


def _ratios(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """Return ours to theirs, turn by turn."""
    return [one / other for one, other in zip(ours, theirs, strict=True)]
