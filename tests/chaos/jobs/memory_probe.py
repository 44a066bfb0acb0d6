"""Tell how the memory of a client grows: `python memory_probe.py URL MODEL WARM_UP INFERENCES`.

Prints resident bytes after the warm-up and after the inferences.
"""

import asyncio
import gc
import os
import sys
from pathlib import Path

import numpy as np

from inference.pool import Pool
from inference.settings import InferenceSettings
from inference.shared_memory import BufferPool
from inference.tensors import InferRequest
from inference.triton import TritonServer

ROWS = 50
_F4 = np.dtype(np.float32)


def resident() -> int:
    """Return this process's resident memory in bytes, without what is only not collected yet."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


async def main(url: str, model: str, *counts: int) -> None:
    """Infer so many times, four at once, from leased buffers as scoring does."""
    settings = InferenceSettings(triton_urls=(url,))
    servers = [TritonServer(url, settings=settings)]
    async with Pool(servers, settings) as pool:
        buffers = BufferPool(servers, enabled=True)

        async def infer_once(number: int) -> None:
            buffer = await buffers.lease(ROWS * 2 * _F4.itemsize)
            x = buffer.allocate((ROWS, 2), _F4)
            x[:] = number % 1000
            request = InferRequest(model, "1", {"x": x}, ("y",), ROWS, buffer=buffer)
            answer = await pool.infer(request)
            assert (answer.outputs["y"] == 3 * (number % 1000)).all()
            await buffers.release(buffer)

        async def infer_many(numbers: range) -> None:
            for number in numbers:
                await infer_once(number)

        for count in counts:
            await asyncio.gather(*(infer_many(range(k, count, 4)) for k in range(4)))
            sys.stdout.write(f"{resident()}\n")
        await buffers.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
