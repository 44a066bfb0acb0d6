"""Requests that wait for their turn."""

import asyncio
import time

import pytest

from inference.admission import Admission, RetryTurns
from inference.breaker import Verdict
from inference.retries import RetryBudget
from inference.router import AllOpen, Router, Ticket
from tests.inference.test_router import LIMITS, MODEL, fail

FULL = 4
"""Requests that fill one server's window."""


def waiting_room() -> tuple[Router, Admission]:
    """Return one server's router with those who wait for it."""
    router = Router(1, LIMITS, random=lambda: 1.0)
    return router, Admission(router, clock=time.monotonic)


async def admit(admission: Admission, *, priority: int = 0, wait_s: float = 60.0) -> Ticket:
    """Wait for a place, which must come."""
    decision = await admission.admit(MODEL, avoid=frozenset(), priority=priority, wait_s=wait_s)
    assert isinstance(decision, Ticket)
    return decision


async def filled(admission: Admission) -> list[Ticket]:
    """Take every place."""
    return [await admit(admission) for _ in range(FULL)]


async def test_places_go_by_priority_then_by_arrival() -> None:
    """Priority 1 and the default before 2, as in Triton."""
    router, admission = waiting_room()
    tickets = await filled(admission)
    served: list[str] = []

    async def wait(name: str, priority: int) -> None:
        await admit(admission, priority=priority)
        served.append(name)

    async with asyncio.TaskGroup() as group:
        for name, priority in (("late", 2), ("first", 1), ("second", 0)):
            group.create_task(wait(name, priority))
            await asyncio.sleep(0)
        assert admission.waiting == 3
        for ticket in tickets[:3]:
            router.done(ticket, Verdict.UNKNOWN, time.monotonic())
            admission.dispatch()
            await asyncio.sleep(0)
    assert served == ["first", "second", "late"]


async def test_a_place_that_does_not_come_in_time_leaves_nothing_behind() -> None:
    """The wait is bounded, and the next place is not given to one who left."""
    router, admission = waiting_room()
    tickets = await filled(admission)
    with pytest.raises(TimeoutError):
        await admit(admission, wait_s=0.01)
    assert admission.waiting == 0
    router.done(tickets[0], Verdict.UNKNOWN, time.monotonic())
    admission.dispatch()
    assert router.routes[0].outstanding == FULL - 1


async def test_cancelled_in_the_moment_of_its_turn_it_gives_the_place_on() -> None:
    """The place was handed over, the task never ran: the next one must get it."""
    router, admission = waiting_room()
    tickets = await filled(admission)
    gone = asyncio.create_task(admit(admission))
    heir = asyncio.create_task(admit(admission))
    await asyncio.sleep(0)
    router.done(tickets[0], Verdict.UNKNOWN, time.monotonic())
    admission.dispatch()
    gone.cancel()
    await heir
    assert gone.cancelled()
    assert router.routes[0].outstanding == FULL


async def test_all_who_wait_hear_at_once_that_every_breaker_is_open() -> None:
    """Nobody waits out a deadline for a server that is left alone."""
    router, admission = waiting_room()
    tickets = await filled(admission)
    waiters = [
        asyncio.create_task(admission.admit(MODEL, avoid=frozenset(), priority=0, wait_s=60.0))
        for _ in range(3)
    ]
    await asyncio.sleep(0)
    for ticket in tickets:
        router.done(ticket, Verdict.FAILURE, time.monotonic())
    fail(router, 0, time.monotonic(), times=1)
    admission.dispatch()
    assert {type(decision) for decision in await asyncio.gather(*waiters)} == {AllOpen}


async def test_a_pause_ends_by_itself() -> None:
    """Nothing else needs to happen for a request to be sent after an overload."""
    router, admission = waiting_room()
    router.overloaded(await admit(admission), time.monotonic())
    await asyncio.wait_for(admit(admission), timeout=60)
    admission.close()


async def test_retries_beyond_the_budget_wait_for_their_turn() -> None:
    """Three at a time in a small pool; one that gives up passes its turn on."""
    turns = RetryTurns(RetryBudget(fraction=0.2, floor=3))
    for _ in range(3):
        await turns.take(wait_s=60)
    with pytest.raises(TimeoutError):
        await turns.take(wait_s=0.01)
    gone = asyncio.create_task(turns.take(wait_s=60))
    heir = asyncio.create_task(turns.take(wait_s=60))
    await asyncio.sleep(0)
    turns.give_back()
    gone.cancel()
    await asyncio.wait_for(heir, timeout=60)


async def test_more_running_requests_allow_more_retries() -> None:
    """A retry that waits is let go when the pool gets busier."""
    turns = RetryTurns(RetryBudget(fraction=0.5, floor=1))
    await turns.take(wait_s=60)
    second = asyncio.create_task(turns.take(wait_s=60))
    await asyncio.sleep(0)
    with turns.running(), turns.running(), turns.running(), turns.running():
        await asyncio.wait_for(second, timeout=60)
