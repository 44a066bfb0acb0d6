"""Score rows from memory flat out, as a batch job does.

`python -m benchmarks.online.batch_side GRPC_URL MODEL`: says `ready`, then for each line on its
standard input, a number of seconds, scores that long and says the rows a second.
"""

import asyncio
import sys
import time

import numpy as np

from inference.microbatch import infer_rows
from inference.pool import Pool
from inference.proof import Proof
from inference.settings import InferenceSettings
from inference.shared_memory import BufferPool
from inference.tensors import InferRequest
from inference.triton import TritonServer
from registry.domain import Signature

_ROWS = 8192
_IN_FLIGHT = 3
"""Microbatches at a time, as the flow has them."""
_PRIORITY = 2
"""As a job's requests have it."""


async def main(url: str, model: str) -> None:
    """Score whenever told."""
    settings = InferenceSettings(triton_urls=(url,))
    server = TritonServer(url, settings=settings)
    async with Pool([server], settings) as pool:
        signature = await pool.signature(model, "1")
        buffers = BufferPool([server], enabled=True)
        await buffers.open()
        try:
            print("ready", flush=True)
            while line := await asyncio.to_thread(sys.stdin.readline):
                end = time.monotonic() + float(line)
                begun = time.monotonic()
                async with asyncio.TaskGroup() as group:
                    tasks = [
                        group.create_task(_score(pool, buffers, model, signature, end))
                        for _ in range(_IN_FLIGHT)
                    ]
                rows = sum(task.result() for task in tasks)
                print(rows / (time.monotonic() - begun), flush=True)
        finally:
            await buffers.close()


async def _score(
    pool: Pool, buffers: BufferPool, model: str, signature: Signature, end: float
) -> int:
    """Return how many rows were scored until `end`."""
    buffer = await buffers.lease(_ROWS * 64 * 4)
    rows = buffer.allocate((_ROWS, 64), np.dtype(np.float32))
    rows[:] = np.random.default_rng(0).random(rows.shape, dtype=np.float32)
    request = InferRequest(
        model, "1", {"features": rows}, ("score",), _ROWS, priority=_PRIORITY, buffer=buffer
    )
    done = 0
    while time.monotonic() < end:
        await infer_rows(
            pool,
            request,
            signature=signature,
            max_rejected=0,
            allow_non_finite=False,
            proof=Proof(),
        )
        done += _ROWS
    await buffers.release(buffer)
    return done


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:3]))
