"""Check that blocking work is never left behind."""

import asyncio
import gc
import threading

import pytest

from flows.threads import in_thread


async def test_the_answer_comes_back() -> None:
    """Arguments go in, the result comes out, from another thread."""

    def where(*, name: str) -> tuple[str, threading.Thread]:
        return name, threading.current_thread()

    there = await in_thread(where, name="x")
    assert there[0] == "x"
    assert there[1] is not threading.current_thread()


async def test_an_error_comes_back() -> None:
    """As it was raised."""
    with pytest.raises(ZeroDivisionError):
        await in_thread(divmod, 1, 0)


@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.parametrize("fails", [False, True])
async def test_cancelling_waits_for_the_thread(times: int, fails: bool) -> None:
    """However often it is cancelled, and whatever becomes of the thread's work."""
    entered, leave = threading.Event(), threading.Event()
    left = False

    def work() -> None:
        nonlocal left
        entered.set()
        assert leave.wait(10)
        left = True
        if fails:
            raise ValueError("nobody is interested any more")

    unretrieved: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, said: unretrieved.append(said))
    waiting = asyncio.create_task(in_thread(work))
    assert await asyncio.to_thread(entered.wait, 10)
    for _ in range(times):
        waiting.cancel()
        await asyncio.sleep(0.01)
    assert not waiting.done()
    leave.set()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert left
    gc.collect()
    assert unretrieved == []
