"""Lend buffers that a Triton server on the same host reads without a copy over a socket.

A buffer is a file in `/dev/shm` that has a name only until the servers have mapped it. A process
that is killed leaves its buffers mapped: the servers keep their memory until the next pool that is
opened on the host has them forget it. An array that lies in a buffer is recognised by its address:
a request names its buffer, and `TritonServer` sends the place instead of the bytes to a server
that has it mapped.

Answers do not come back this way. A server that was given up on may still write into memory it
has mapped, which by then would hold another answer; reading the wrong rows for an answer that
nobody waits for harms no one.
"""

import asyncio
import math
import mmap
import os
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from inference import region_names
from inference.errors import InferenceError, TransientError
from inference.tensors import Array

_SHM = Path("/dev/shm")
_ALIGNMENT = 64
"""Bytes; one cache line, which is also what Arrow aligns its buffers to."""

_IN_USE_PAUSES_S = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6)
"""Pauses while a server works on a request that was cancelled, and so keeps its buffer mapped. One
that works for longer keeps it until it is restarted: closing must not hang on it."""

_RETRY_PAUSE_S = 5.0
"""How long no new buffer is offered after no server could be asked: an outage lasts seconds, while
each try may cost a lease the whole wait for an answer."""


class Buffer:
    """A span of memory for the inputs of one microbatch.

    Without memory of its own it lends ordinary arrays, so that callers need not know which.
    """

    def __init__(self, name: str = "", memory: mmap.mmap | None = None) -> None:
        self.name = name
        """Under which servers map it; empty for ordinary memory."""
        self._bytes = np.frombuffer(memory if memory is not None else b"", dtype=np.uint8)
        self._address = int(self._bytes.ctypes.data)
        self._used = 0

    @property
    def size(self) -> int:
        """Bytes; 0 for ordinary memory."""
        return int(self._bytes.size)

    def allocate(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        """Return an uninitialised C-contiguous array, in the buffer if it still has room."""
        stop = self._used + math.prod(shape) * dtype.itemsize
        if dtype.hasobject or stop > self.size:
            return np.empty(shape, dtype)
        view = self._bytes[self._used : stop].view(dtype).reshape(shape)
        self._used = -(-stop // _ALIGNMENT) * _ALIGNMENT
        return view

    def locate(self, array: Array) -> int | None:
        """Return the offset in bytes of `array` in this buffer, None if it lies elsewhere."""
        if not self.size or not array.flags.c_contiguous:
            return None
        offset = int(array.ctypes.data) - self._address
        return offset if offset >= 0 and offset + array.nbytes <= self.size else None

    def reset(self) -> None:
        """Give all of it to the next user; arrays that were allocated lose their content."""
        self._used = 0


class MapsBuffers(Protocol):
    """What this module asks of a server."""

    async def map_buffer(self, name: str, key: str, size: int) -> bool:
        """Map the POSIX shared memory `key` as `name`; False if the server refuses.

        Raises `TransientError` where it did not say: it may have mapped it all the same.
        """
        ...

    async def mapped_buffers(self) -> Sequence[str]:
        """List what any client has had the server map; raises `InferenceError`."""
        ...

    async def unmap_buffer(self, name: str) -> bool:
        """Forget a buffer, if it is mapped; False while a request still uses it."""
        ...

    def maps(self, name: str) -> bool:
        """Whether the server still has the buffer, as far as is known."""
        ...


class BufferPool:
    """Buffers that the servers of a pool have mapped, each lent to one user at a time.

    For one event loop. Where no server can see this host's memory, ordinary memory is lent.
    """

    def __init__(
        self,
        servers: Sequence[MapsBuffers],
        *,
        enabled: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._servers = servers
        self._enabled = enabled and _SHM.is_dir()
        self._clock = clock
        self._paused_until = -math.inf
        self._free: list[Buffer] = []
        self._mapped_by: dict[str, list[MapsBuffers]] = {}
        self._unsure: dict[str, list[MapsBuffers]] = {}
        """Servers that did not say whether they mapped a buffer."""

    async def open(self) -> None:
        """Have the servers forget the buffers of processes of this host that were killed.

        A name that one of them left in `/dev/shm` is removed as well. Those of other hosts or of
        living processes stay. Fails open: a server that cannot be asked keeps what it has until
        the next pool is opened. Safe to repeat.
        """
        if not self._enabled:
            return
        _remove_the_dead()
        async with asyncio.TaskGroup() as asking:
            for server in self._servers:
                asking.create_task(_forget_the_dead(server))

    async def lease(self, size: int) -> Buffer:
        """Return a buffer of at least `size` bytes, or one of ordinary memory.

        The one released last is lent first: its memory is still in the cores' caches, and a job
        that needs few buffers leaves the others untouched.
        """
        for index in reversed(range(len(self._free))):
            if self._free[index].size >= size:
                return self._free.pop(index)
        if not self._enabled or size <= 0 or self._clock() < self._paused_until:
            return Buffer()
        return await self._create(size)

    async def release(self, buffer: Buffer) -> None:
        """Take a buffer back; one that a restarted server no longer knows is not lent again."""
        if not buffer.size:
            return
        buffer.reset()
        if all(server.maps(buffer.name) for server in self._mapped_by[buffer.name]):
            self._free.append(buffer)
        else:
            await self._drop(buffer.name)

    async def close(self) -> None:
        """Have the servers forget the buffers of this pool, those still lent too, and only these.

        Nothing must be sent from a buffer any more.
        """
        self._free.clear()
        async with asyncio.TaskGroup() as dropping:
            for name in self._mapped_by.keys() | self._unsure.keys():
                dropping.create_task(self._drop(name))

    async def _drop(self, name: str) -> None:
        await _forget(self._mapped_by.pop(name, []) + self._unsure.pop(name, []), name)

    async def _create(self, size: int) -> Buffer:
        name = region_names.new_name()
        path = _SHM / name
        try:
            memory = _create_file(path, size)
        except OSError:
            self._enabled = False  # /dev/shm is full: scoring goes on, over the socket
            return Buffer()
        try:
            await self._offer(name, size)
        finally:
            path.unlink()
        if name in self._mapped_by:
            return Buffer(name, memory)
        # Nobody has it:
        # 1. some server did not say: it is asked again later
        # 2. every server refused: none can see this memory, and none ever will
        if name in self._unsure:
            self._paused_until = self._clock() + _RETRY_PAUSE_S
        else:
            self._enabled = False
        return Buffer()

    async def _offer(self, name: str, size: int) -> None:
        # All of them, until it is known: when this is cancelled, any may have it mapped.
        self._unsure[name] = list(self._servers)
        mapped_by: list[MapsBuffers] = []
        unsure: list[MapsBuffers] = []
        for server in self._servers:
            try:
                if await server.map_buffer(name, f"/{name}", size):
                    mapped_by.append(server)
            except TransientError:
                unsure.append(server)
        del self._unsure[name]
        if mapped_by:
            self._mapped_by[name] = mapped_by
        if unsure:
            self._unsure[name] = unsure


async def _forget_the_dead(server: MapsBuffers) -> None:
    try:
        names = await server.mapped_buffers()
    except InferenceError:
        return
    async with asyncio.TaskGroup() as forgetting:
        for name in names:
            if region_names.is_orphan(name):
                forgetting.create_task(_forget_by(server, name))


async def _forget(servers: Iterable[MapsBuffers], name: str) -> None:
    async with asyncio.TaskGroup() as forgetting:
        for server in servers:
            forgetting.create_task(_forget_by(server, name))


async def _forget_by(server: MapsBuffers, name: str) -> None:
    for pause_s in _IN_USE_PAUSES_S:
        if await server.unmap_buffer(name):
            return
        await asyncio.sleep(pause_s)


def _remove_the_dead() -> None:
    for path in _SHM.glob(f"{region_names.PREFIX}*"):
        if region_names.is_orphan(path.name):
            with suppress(OSError):  # another user's, or removed by another pool just now
                path.unlink()


def _create_file(path: Path, size: int) -> mmap.mmap:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        # Takes the pages now: a write beyond what /dev/shm can hold would kill the process.
        os.posix_fallocate(descriptor, 0, size)
        # Mapped page by page on first touch, a new buffer would cost as much as its first use.
        return mmap.mmap(descriptor, size, flags=mmap.MAP_SHARED | mmap.MAP_POPULATE)
    except OSError:
        path.unlink()
        raise
    finally:
        os.close(descriptor)
