"""Check the buffers that servers on the same host read in place."""

import asyncio
import mmap
import os
import resource
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.stack.process import free_ports
from cli.stack.triton import LocalTriton
from inference import region_names
from inference.errors import DeadlineExceeded, ServerUnreachable
from inference.settings import InferenceSettings
from inference.shared_memory import Buffer, BufferPool
from inference.triton import TritonServer

ALIGNMENT = 64
CLIENT = """
import asyncio, sys
from inference.settings import InferenceSettings
from inference.shared_memory import BufferPool
from inference.triton import TritonServer

async def main():
    pool = BufferPool([TritonServer(sys.argv[1], settings=InferenceSettings())], enabled=True)
    print((await pool.lease(1 << 16)).name, flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


class Server:
    """A server that maps what it finds in /dev/shm."""

    def __init__(self, *, here: bool = True, busy: int = 0) -> None:
        self.here = here
        self.busy = busy
        self.pause_s = 0.0
        self.silent = False
        self.asked = asyncio.Event()
        self.mapped: dict[str, np.memmap[tuple[int, ...], np.dtype[np.uint8]]] = {}

    async def map_buffer(self, name: str, key: str, size: int) -> bool:
        """Map it, if this server is on the same host."""
        if self.here:
            self.mapped[name] = np.memmap(f"/dev/shm{key}", np.uint8, "r", shape=(size,))
        self.asked.set()
        await asyncio.sleep(self.pause_s)
        if self.silent:
            raise DeadlineExceeded("no answer in time")
        return self.here

    async def mapped_buffers(self) -> list[str]:
        """What it has mapped."""
        if self.silent:
            raise DeadlineExceeded("no answer in time")
        return list(self.mapped)

    async def unmap_buffer(self, name: str) -> bool:
        """Forget it, unless a request still uses it."""
        self.busy -= 1
        if self.busy < 0:
            self.mapped.pop(name, None)
        return self.busy < 0

    def maps(self, name: str) -> bool:
        """Whether it was not forgotten."""
        return name in self.mapped


def names() -> list[Path]:
    """What this process has in /dev/shm."""
    return list(Path("/dev/shm").glob(f"nightshift-{os.getpid()}-{'?' * 32}"))


async def test_a_server_reads_what_lies_in_a_buffer() -> None:
    """At the place that `locate` tells, and under a name that is gone at once."""
    server = Server()
    pool = BufferPool([server], enabled=True)
    buffer = await pool.lease(4096)
    first = buffer.allocate((3, 2), np.dtype("f4"))
    second = buffer.allocate((5,), np.dtype("i8"))
    first[:] = 1.5
    second[:] = range(5)
    assert names() == []
    seen = server.mapped[buffer.name]
    assert (buffer.locate(first), buffer.locate(second)) == (0, ALIGNMENT)
    assert bytes(seen[ALIGNMENT : ALIGNMENT + 40]) == second.tobytes()
    assert buffer.locate(second[2:]) == ALIGNMENT + 16
    assert buffer.locate(np.arange(5)) is None
    assert buffer.locate(first[:, :1]) is None, "a part of each row is not contiguous"
    await pool.release(buffer)
    await pool.close()
    assert server.mapped == {}


async def test_buffers_are_lent_again() -> None:
    """To one user at a time, and only where they are large enough."""
    pool = BufferPool([Server()], enabled=True)
    small, large = await pool.lease(1000), await pool.lease(9000)
    small.allocate((10,), np.dtype("f8"))
    await pool.release(small)
    await pool.release(large)
    assert await pool.lease(5000) is large
    again = await pool.lease(500)
    assert again is small
    assert again.locate(again.allocate((1,), np.dtype("f8"))) == 0
    assert (await pool.lease(500)).name not in {small.name, large.name}
    await pool.close()


async def test_a_buffer_that_a_restarted_server_lost_is_not_lent_again() -> None:
    """The other servers forget it as well."""
    one, other = Server(), Server()
    pool = BufferPool([one, other], enabled=True)
    buffer = await pool.lease(1000)
    one.mapped.clear()
    await pool.release(buffer)
    assert other.mapped == {}
    assert await pool.lease(1000) is not buffer
    await pool.close()


async def test_closing_takes_back_what_is_still_lent() -> None:
    """Also from a server that works on a request which nobody waits for any more."""
    server = Server(busy=2)
    pool = BufferPool([server], enabled=True)
    await pool.lease(1000)
    await pool.lease(1000)
    assert len(server.mapped) == 2
    await pool.close()
    assert server.mapped == {}


async def test_a_lease_that_is_cancelled_is_taken_back() -> None:
    """The server may have mapped the buffer although nobody waited for its answer."""
    server = Server()
    server.pause_s = 60.0
    pool = BufferPool([server], enabled=True)
    leasing = asyncio.create_task(pool.lease(1000))
    await server.asked.wait()
    leasing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leasing
    assert names() == []
    await pool.close()
    assert server.mapped == {}


async def test_a_server_that_stays_busy_does_not_hold_closing_up() -> None:
    """It keeps the buffer until it is restarted."""
    server = Server(busy=1000)
    pool = BufferPool([server], enabled=True)
    await pool.lease(1000)
    await pool.close()
    assert len(server.mapped) == 1


@pytest.mark.parametrize(
    ("enabled", "here", "size"), [(False, True, 100), (True, False, 100), (True, True, 0)]
)
async def test_ordinary_memory_is_lent_where_no_server_can_see(
    enabled: bool, here: bool, size: int
) -> None:
    """Users need not know the difference."""
    server = Server(here=here)
    pool = BufferPool([server], enabled=enabled)
    buffer = await pool.lease(size)
    assert (buffer.size, buffer.name) == (0, "")
    array = buffer.allocate((2, 3), np.dtype("f4"))
    assert array.shape == (2, 3)
    assert buffer.locate(array) is None
    await pool.release(buffer)
    await pool.close()
    assert names() == []


async def test_a_mixed_pool_shares_with_those_that_can() -> None:
    """A server on another host gets bytes."""
    near, far = Server(), Server(here=False)
    pool = BufferPool([far, near], enabled=True)
    buffer = await pool.lease(100)
    assert (near.maps(buffer.name), far.maps(buffer.name)) == (True, False)
    await pool.release(buffer)
    assert await pool.lease(100) is buffer
    await pool.close()


async def test_a_server_that_does_not_answer_is_asked_again_later() -> None:
    """After a pause, in which ordinary memory is lent; what it mapped meanwhile is taken back."""
    now = 100.0
    server, far = Server(), Server(here=False)
    server.silent = True
    pool = BufferPool([far, server], enabled=True, clock=lambda: now)
    await pool.open()
    assert (await pool.lease(100)).size == 0
    assert (names(), len(server.mapped)) == ([], 1)
    server.silent = False
    now += 4.9
    assert (await pool.lease(100)).size == 0
    now += 0.2
    buffer = await pool.lease(100)
    assert server.maps(buffer.name)
    await pool.release(buffer)
    assert await pool.lease(100) is buffer
    await pool.close()
    assert server.mapped == {}


async def test_a_silent_server_does_not_keep_the_others_from_mapping() -> None:
    """It is sent the bytes, and asked to forget the buffer that it may have mapped."""
    server, silent = Server(), Server()
    silent.silent = True
    pool = BufferPool([silent, server], enabled=True)
    buffer = await pool.lease(100)
    await pool.release(buffer)
    assert await pool.lease(100) is buffer
    await pool.close()
    assert (server.mapped, silent.mapped) == ({}, {})


async def test_a_refusal_is_final() -> None:
    """A server elsewhere is asked once, however long the job takes."""
    now = 100.0
    server = Server(here=False)
    pool = BufferPool([server], enabled=True, clock=lambda: now)
    assert (await pool.lease(100)).size == 0
    server.here = True
    now += 1e6
    assert (await pool.lease(100)).size == 0
    assert server.mapped == {}


@contextmanager
def file(name: str) -> Iterator[None]:
    """Keep a file of 64 bytes in /dev/shm for the length of the block."""
    path = Path("/dev/shm", name)
    path.write_bytes(bytes(64))
    yield
    path.unlink(missing_ok=True)


@asynccontextmanager
async def client(url: str) -> AsyncIterator[tuple[Process, str]]:
    """Another process with a buffer that the server has mapped, and the buffer's name."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", CLIENT, url, stdout=PIPE)
    assert process.stdout is not None
    try:
        name = (await process.stdout.readline()).decode().strip()
        assert name
        yield process, name
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_what_a_killed_process_left_mapped_is_forgotten(triton: LocalTriton) -> None:
    """By the next pool; buffers of living processes, and of other hosts, stay."""
    server = TritonServer(triton.grpc_url, settings=InferenceSettings())
    own = BufferPool([server], enabled=True)
    mine = (await own.lease(4096)).name
    elsewhere = f"nightshift-1-{'5' * 32}"
    with file(elsewhere):
        assert await server.map_buffer(elsewhere, f"/{elsewhere}", 64)
    async with client(triton.grpc_url) as (dying, left), client(triton.grpc_url) as (_, living):
        before = set(await server.mapped_buffers())
        dying.kill()
        await dying.wait()
        assert before >= {mine, elsewhere, left, living}
        await BufferPool([server], enabled=True).open()
        assert set(await server.mapped_buffers()) == before - {left}
    await BufferPool([server], enabled=True).open()
    assert set(await server.mapped_buffers()) == before - {left, living}
    await server.unmap_buffer(elsewhere)
    await own.close()
    await server.close()


async def test_a_name_that_a_killed_process_left_is_removed() -> None:
    """It was killed before the servers had the buffer mapped."""
    living = region_names.new_name()
    earlier = f"{living[:-16]}{int(living[-16:-8], 16) ^ 1:08x}{living[-8:]}"
    with file(living), file(earlier):
        assert {path.name for path in names()} == {living, earlier}
        await BufferPool([Server()], enabled=True).open()
        assert {path.name for path in names()} == {living}


async def test_where_nothing_listens_a_pool_opens() -> None:
    """What cannot be asked is left for the next time; it did not refuse."""
    (port,) = free_ports(1)
    server = TritonServer(f"127.0.0.1:{port}", settings=InferenceSettings())
    pool = BufferPool([server], enabled=True)
    await pool.open()
    assert (await pool.lease(100)).size == 0
    with pytest.raises(ServerUnreachable):
        await server.map_buffer("any", "/any", 64)
    await pool.close()
    await server.close()


def test_a_name_tells_a_process_from_a_later_one_with_its_pid() -> None:
    """Nor is one from another boot or PID namespace, or of another form, ever an orphan."""
    name = region_names.new_name()
    head, pid, digits = name.rsplit("-", 2)
    assert (head, int(pid), len(digits)) == ("nightshift", os.getpid(), 32)
    assert region_names.new_name() != name
    place, start, rest = digits[:16], digits[16:24], digits[24:]
    other_start = f"{int(start, 16) ^ 1:08x}"
    assert not region_names.is_orphan(name)
    assert region_names.is_orphan(f"nightshift-{pid}-{place}{other_start}{rest}")
    assert not region_names.is_orphan(f"nightshift-{pid}-{place}{'0' * 8}{rest}")
    assert not region_names.is_orphan(f"nightshift-{10**30}-{place}{other_start}{rest}")
    for place_elsewhere in (f"{int(digits[0], 16) ^ 1:x}{place[1:]}", place[:15] + "x"):
        assert not region_names.is_orphan(f"nightshift-{pid}-{place_elsewhere}{other_start}{rest}")
    assert not region_names.is_orphan(f"x{name}")


def test_a_process_that_nobody_waited_for_is_gone() -> None:
    """A zombie keeps its PID, yet has no memory."""
    child = os.posix_spawn("/bin/sleep", ["sleep", "60"], {})
    head = region_names.new_name()
    try:
        fields = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
        digits = head[-32:-16] + f"{int(fields[19]):08x}" + head[-8:]
        name = f"nightshift-{child}-{digits}"
        assert not region_names.is_orphan(name)
    finally:
        os.kill(child, 9)
        os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
        assert region_names.is_orphan(name)
        os.waitpid(child, 0)
    assert region_names.is_orphan(name)


async def test_without_room_scoring_goes_on_over_the_socket() -> None:
    """A file that cannot be had leaves no name behind; nothing is tried again."""
    server = Server()
    pool = BufferPool([server], enabled=True)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, hard))
    try:
        buffer = await pool.lease(1 << 30)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert buffer.size == 0
    assert names() == []
    assert (await pool.lease(100)).size == 0
    await pool.close()


@given(
    st.lists(
        st.tuples(st.integers(0, 20), st.integers(1, 8), st.sampled_from(["f4", "i8", "?", "O"])),
        max_size=8,
    )
)
def test_arrays_of_a_buffer_never_overlap(wanted: list[tuple[int, int, str]]) -> None:
    """What does not fit lies elsewhere, and says so."""
    buffer = Buffer("x", mmap.mmap(-1, 512))
    arrays = [buffer.allocate((rows, width), np.dtype(kind)) for rows, width, kind in wanted]
    for number, array in enumerate(arrays):
        array[...] = number % 2 if array.dtype == np.bool_ else number
    spans = []
    for number, (array, (rows, width, kind)) in enumerate(zip(arrays, wanted, strict=True)):
        assert (array.shape, array.dtype) == ((rows, width), np.dtype(kind))
        expected = bool(number % 2) if kind == "?" else number
        assert (array == expected).all()
        offset = buffer.locate(array)
        if offset is not None and array.nbytes:
            assert offset % ALIGNMENT == 0
            spans.append((offset, offset + array.nbytes))
    spans.sort()
    assert all(left[1] <= right[0] for left, right in pairwise(spans))
