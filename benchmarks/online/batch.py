"""Have another process score as a job does, for as long as it is told."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class BatchSide:
    """A process of `benchmarks.online.batch_side`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def rate(self, seconds: float) -> float:
        """Score for so long; return the rows a second."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{seconds}\n".encode())
        return float(await self.line())

    async def line(self) -> str:
        """Return what it says next; raises `RuntimeError` where it has ended."""
        assert self._process.stdout is not None
        line = (await self._process.stdout.readline()).decode().strip()
        if not line:
            raise RuntimeError("the process that scores has ended: see what it printed")
        return line


@asynccontextmanager
async def batch_side(grpc_url: str, model: str) -> AsyncIterator[BatchSide]:
    """Run it for the length of the block."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.online.batch_side", grpc_url, model),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    side = BatchSide(process)
    try:
        await side.line()
        yield side
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()
