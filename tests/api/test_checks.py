"""Looks at what the API depends on: all at once, each with an end."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from api.checks import Check, CheckFailed, Missing, PoolLook, RegistryLook, missing
from registry.errors import RegistryUnavailable
from tests.contracts.memory_store import MemoryRows, MemoryStore
from tests.inference.scripted import ScriptedServer
from tests.inference.simulated import simulate


async def fine() -> None:
    """Find nothing wrong."""


async def stuck() -> None:
    """Never answer."""
    await asyncio.Event().wait()


async def broken() -> None:
    """Fail, for a reason that not everyone may know."""
    try:
        raise OSError("secret disk")
    except OSError as error:
        raise CheckFailed("it is broken") from error


def test_looks_run_at_once_and_end() -> None:
    """Three that hang cost one deadline; what is missing comes in the order of the checks."""

    async def run() -> tuple[tuple[Missing, ...], float]:
        checks = [Check(f"stuck-{number}", stuck) for number in range(3)]
        clock = asyncio.get_running_loop().time
        start = clock()
        all_checks = [*checks, Check("fine", fine), Check("broken", broken)]
        return await missing(all_checks, deadline_s=0.2), clock() - start

    found, took_s = simulate(run())
    assert took_s == pytest.approx(0.2)
    late = "did not answer within 0.2 s"
    assert found == (
        *(Missing(f"stuck-{number}", late, late) for number in range(3)),
        Missing("broken", "it is broken", "secret disk"),
    )


async def test_a_fault_in_a_look_is_not_hidden() -> None:
    """Only what a look says is wrong makes something missing."""

    async def faulty() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await missing([Check("faulty", faulty)], deadline_s=1)


class HangingStore(MemoryStore):
    """A registry whose database answers when it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.go = threading.Event()
        self.asked = 0

    @contextmanager
    def reading(self) -> Iterator[MemoryRows]:
        self.asked += 1
        self.go.wait()
        with super().reading() as rows:
            yield rows
        raise RegistryUnavailable("the registry went away")


async def test_a_database_that_hangs_holds_one_thread() -> None:
    """Impatient callers share one look; when it ends, the next caller gets a new one."""
    store = HangingStore()
    check = Check("registry", RegistryLook(store))
    for _ in range(5):
        (found,) = await missing([check], deadline_s=0.02)
        assert found.reason == "did not answer within 0.02 s"
    while not store.asked:
        await asyncio.sleep(0.001)  # its thread has not begun yet
    assert store.asked == 1
    store.go.set()
    (found,) = await missing([check], deadline_s=60)
    assert found.cause == "the registry went away"
    (found,) = await missing([check], deadline_s=60)
    assert store.asked == 2


async def test_one_live_server_is_enough() -> None:
    """Whoever is live answers for the pool; without any, all are named."""
    servers = [ScriptedServer("a:1"), ScriptedServer("b:1")]
    servers[0].away = True
    await PoolLook(lambda: servers)()
    servers[1].away = True
    with pytest.raises(CheckFailed, match=r"no server of the pool is live: a:1, b:1"):
        await PoolLook(lambda: servers)()


async def test_a_server_that_cannot_be_asked_is_told_of() -> None:
    """It answers, so that nobody would look for the reason there."""
    server = ScriptedServer("a:1")
    server.lacks = ("statistics",)
    with pytest.raises(CheckFailed, match=r"is live: a:1; a:1 lacks statistics of the Open"):
        await PoolLook(lambda: [server])()


async def test_without_servers_nothing_is_missing() -> None:
    """They are registered through the API, which must be reached for that."""
    await PoolLook(list)()
