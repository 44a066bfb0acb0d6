"""Send the same rows over and over through our own client, with shared memory or without.

`python -m benchmarks.cases.transport_ours TASK`, in the platform's environment; the knobs are
`batch_rows`, `in_flight`, `milliseconds` and `shared_memory`.
"""

import asyncio
import sys
import time

import numpy as np

from benchmarks.cases.clock import timed
from benchmarks.cases.task import Task
from inference.settings import InferenceSettings
from inference.shared_memory import BufferPool
from inference.tensors import InferRequest
from inference.triton import TritonServer

_TIMEOUT_S = 30.0


async def _send(task: Task, server: TritonServer, buffers: BufferPool, deadline: float) -> int:
    """Return the rows that were answered until the deadline, one request at least."""
    shape = (task.knobs["batch_rows"], task.width)
    buffer = await buffers.lease(shape[0] * shape[1] * 4)
    rows = buffer.allocate(shape, np.dtype(np.float32))
    rows[:] = np.random.default_rng(0).random(shape, dtype=np.float32)
    request = InferRequest(
        task.model, "1", {task.input: rows}, (task.output_name,), len(rows), buffer=buffer
    )
    done = 0
    while not done or time.monotonic() < deadline:
        await server.infer(request, timeout_s=_TIMEOUT_S)
        done += len(rows)
    await buffers.release(buffer)
    return done


async def main(task: Task) -> None:
    """Tell rows and seconds."""
    knobs = task.knobs
    server = TritonServer(task.grpc_url, settings=InferenceSettings())
    buffers = BufferPool([server], enabled=bool(knobs["shared_memory"]))
    await buffers.open()
    try:
        await _send(task, server, buffers, 0.0)
        with timed() as told:
            start = time.monotonic()
            deadline = start + knobs["milliseconds"] / 1000
            sending = [_send(task, server, buffers, deadline) for _ in range(knobs["in_flight"])]
            told["rows"] = sum(await asyncio.gather(*sending))
            told["seconds"] = time.monotonic() - start
    finally:
        await buffers.close()
        await server.close()


if __name__ == "__main__":
    asyncio.run(main(Task.from_json(sys.argv[1])))
