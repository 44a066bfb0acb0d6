"""Long work beside other requests."""

import os
import signal
import time

import pytest

from api.problems import Refused
from api.v2.kinds import malformed
from api.v2.offload import Offload


def refuse(words: str) -> None:
    """Refuse, as a reader does."""
    raise malformed(words)


def die(_: int) -> None:
    """End like a process that ran out of memory."""
    os.kill(os.getpid(), signal.SIGKILL)


async def test_it_is_done_in_another_process() -> None:
    """Whose refusals come back as they are."""
    async with Offload(large_bytes=2, processes=1) as offload:
        assert (offload.is_large(1), offload.is_large(2)) == (False, True)
        assert await offload.in_process(os.getpid) != os.getpid()
        with pytest.raises(Refused, match="odd") as raised:
            await offload.in_process(refuse, "odd")
    assert raised.value.kind == malformed("").kind


async def test_a_process_that_dies_is_replaced() -> None:
    """The request that met it is refused for now, the next one is done."""
    async with Offload(large_bytes=1, processes=1) as offload:
        with pytest.raises(Refused, match="send it again") as raised:
            await offload.in_process(die, 0)
        assert raised.value.kind.status == 503
        assert await offload.in_process(abs, -7) == 7


async def test_a_thread_is_beside_the_loop() -> None:
    """Not in a process: arguments need not be copied."""
    async with Offload(large_bytes=1, processes=1) as offload:
        assert await offload.in_thread(os.getpid) == os.getpid()
        assert await offload.in_thread(time.thread_time_ns) >= 0
