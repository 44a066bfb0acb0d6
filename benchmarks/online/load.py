"""Put load on a server: at a constant rate whatever it does, or as much as it takes."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from benchmarks.online.client import Reply

Send = Callable[[], Awaitable[Reply]]


@dataclass(frozen=True, slots=True)
class Sample:
    """One request of an open loop."""

    intended_s: float
    """When it was to be sent, since the start."""
    latency_s: float
    """From then to the end of the reply, so that a stall counts for all whom it holds up."""
    status: int
    """The HTTP status; 0 where there was no reply."""
    right: bool
    """Whether the answer is what the model computes; True for what is no answer."""


async def open_loop(
    send: Send,
    *,
    rate: float,
    seconds: float,
    limit_s: float,
    check: Callable[[Reply], bool] = lambda _: True,
) -> list[Sample]:
    """Send `rate` requests a second at even times, for so many seconds; each waits `limit_s`."""
    start = time.perf_counter()
    samples: list[Sample] = []

    async def one(intended: float) -> None:
        status, right = 0, True
        try:
            async with asyncio.timeout(limit_s):
                reply = await send()
            status, right = reply.status, not reply.ok or check(reply)
        except (OSError, EOFError, TimeoutError):
            pass
        latency_s = time.perf_counter() - start - intended
        samples.append(Sample(intended, latency_s, status, right))

    async with asyncio.TaskGroup() as group:
        for number in range(int(rate * seconds)):
            intended = number / rate
            ahead_s = intended - (time.perf_counter() - start)
            if ahead_s > 0:
                await asyncio.sleep(ahead_s)
            group.create_task(one(intended))
    return samples


async def closed_loop(send: Send, *, connections: int, seconds: float) -> float:
    """Return the requests a second that so many callers get, each with one at a time."""
    end = time.perf_counter() + seconds

    async def one() -> int:
        answered = 0
        while time.perf_counter() < end:
            reply = await send()
            if not reply.ok:
                raise RuntimeError(f"status {reply.status}: {reply.body[:300]!r}")
            answered += 1
        return answered

    begun = time.perf_counter()
    counts = await asyncio.gather(*(one() for _ in range(connections)))
    return sum(counts) / (time.perf_counter() - begun)


def percentile(samples: Sequence[Sample], share: float) -> float:
    """Return the latency below which this share of the samples lies, in seconds."""
    ordered = sorted(sample.latency_s for sample in samples)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
