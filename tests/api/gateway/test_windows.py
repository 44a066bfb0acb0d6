"""Windows: the same counting in one process and in Redis."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.asyncio import Redis

from api.gateway.quotas import Rate, Spent, Window
from api.gateway.redis_windows import RedisWindows
from api.gateway.windows import LocalWindows, Windows, WindowsAway
from cli.stack.redis import LocalRedis


def window(limit: int, window_s: int = 60, name: str = "subject") -> Window:
    """Return a window that no other test knows."""
    return Window(name, f"{{{secrets.token_hex(8)}}}:{name}", Rate(limit, window_s))


@pytest.fixture(params=["local", "redis"])
async def windows(request: pytest.FixtureRequest) -> AsyncIterator[Windows]:
    """Either kind."""
    if request.param == "local":
        yield LocalWindows(clock=time.monotonic)
        return
    redis: LocalRedis = request.getfixturevalue("redis")
    client = Redis.from_url(redis.url)
    yield RedisWindows(client)
    await client.aclose()


async def test_room_is_counted_down(windows: Windows) -> None:
    """To nothing, and what comes then is told when there is room."""
    counted = window(3, window_s=3600)
    spent = [(await windows.hit([counted]))[0] for _ in range(5)]
    assert [(each.allowed, each.remaining) for each in spent] == [
        (True, 2),
        (True, 1),
        (True, 0),
        (False, 0),
        (False, 0),
    ]
    assert all(3400 < each.reset_s <= 3600 for each in spent)
    assert {each.window for each in spent} == {counted}


async def test_nobody_waits_longer_than_the_window() -> None:
    """At a time whose sum with the window's length is rounded up."""
    windows = LocalWindows(clock=lambda: 2544.6)
    (spent,) = await windows.hit([window(3, window_s=3600)])
    assert spent.reset_s == 3600


async def test_the_window_moves(windows: Windows) -> None:
    """Room comes back request by request, a window's length after each was counted."""
    while (told := await _through_a_second(windows)) is None:
        pass  # the machine was so slow that the window moved between two requests
    assert told == [(True, 1), (True, 0), (False, 0), (True, 0), (False, 0)]


async def _through_a_second(windows: Windows) -> list[tuple[bool, int]] | None:
    """Return what is told of requests now, half a second later, and as soon as there is room.

    None where the first three or the last four were not within a second.
    """
    counted = window(2, window_s=1)
    told: list[Spent] = []
    at: list[tuple[float, float]] = []
    for pause_s in (0.0, 0.5, 0.0, 0.02, 0.0):
        await asyncio.sleep(pause_s + (told[-1].reset_s if len(told) == 3 else 0.0))
        began = time.monotonic()
        told += await windows.hit([counted])
        at.append((began, time.monotonic()))
    if at[2][1] - at[0][0] > 1 or at[4][1] - at[1][0] > 1:
        return None
    return [(each.allowed, each.remaining) for each in told]


async def test_a_request_is_counted_everywhere_or_nowhere(windows: Windows) -> None:
    """One window without room costs nothing in the others."""
    wide, narrow = window(10), window(1, name="narrow")
    first = await windows.hit([wide, narrow])
    assert [each.remaining for each in first] == [9, 0]
    for _ in range(3):
        both = await windows.hit([wide, narrow])
        assert [(each.allowed, each.remaining) for each in both] == [(True, 9), (False, 0)]


async def test_callers_are_counted_apart(windows: Windows) -> None:
    """A key is one caller's."""
    first, second = window(1), window(1)
    assert (await windows.hit([first]))[0].allowed
    assert not (await windows.hit([first]))[0].allowed
    assert (await windows.hit([second]))[0].allowed


async def test_callers_at_once_get_what_there_is(windows: Windows) -> None:
    """Fifty at a time for twenty places: twenty."""
    counted = window(20)
    spent = await asyncio.gather(*(windows.hit([counted]) for _ in range(50)))
    assert sum(each.allowed for (each,) in spent) == 20


async def test_two_processes_count_together(redis: LocalRedis) -> None:
    """What one has counted is gone for the other."""
    counted = window(2)
    clients = [Redis.from_url(redis.url) for _ in range(2)]
    first, second = (RedisWindows(client) for client in clients)
    assert (await first.hit([counted]))[0].remaining == 1
    assert (await second.hit([counted]))[0].remaining == 0
    assert not (await first.hit([counted]))[0].allowed
    for client in clients:
        await client.aclose()


async def test_a_value_of_others_is_no_crash(redis: LocalRedis) -> None:
    """Something else under the window's name counts as Redis being away."""
    counted = window(2)
    client = Redis.from_url(redis.url)
    await client.set(f"nightshift:quota:{counted.key}", "poison")
    with pytest.raises(WindowsAway):
        await RedisWindows(client).hit([counted])
    await client.aclose()


async def test_what_is_counted_is_forgotten(redis: LocalRedis) -> None:
    """No key outlives its window."""
    counted = window(2, window_s=600)
    client = Redis.from_url(redis.url)
    await RedisWindows(client).hit([counted])
    key = f"nightshift:quota:{counted.key}"
    assert 0 < await client.pttl(key) <= 600_000
    await client.aclose()


class Clock:
    """Time that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@given(
    limit=st.integers(1, 5),
    # Eighths of a second are exact, so that waiting as told is not a rounding error too short.
    pauses=st.lists(st.integers(0, 120).map(lambda eighths: eighths / 8), min_size=1, max_size=60),
)
async def test_no_stretch_of_time_has_more_than_the_limit(limit: int, pauses: list[float]) -> None:
    """Wherever a window is laid; and whoever waits as told is let through."""
    clock = Clock()
    windows = LocalWindows(clock=clock)
    counted = Window("a", "a", Rate(limit, 10))
    allowed: list[float] = []
    for pause in pauses:
        clock.now += pause
        spent = (await windows.hit([counted]))[0]
        if spent.allowed:
            allowed.append(clock.now)
            assert len([at for at in allowed if at > clock.now - 10]) <= limit
            continue
        assert 0 < spent.reset_s <= 10
        clock.now += spent.reset_s
        assert (await windows.hit([counted]))[0].allowed
        allowed.append(clock.now)


async def test_a_process_remembers_so_many_callers() -> None:
    """The idle go first; beyond the bound, whoever came longest ago."""
    clock = Clock()
    windows = LocalWindows(clock=clock, most_keys=3)
    rate = Rate(1, 10)

    async def hit(key: str) -> Spent:
        return (await windows.hit([Window("a", key, rate)]))[0]

    for key in "abc":
        await hit(key)
    assert not (await hit("a")).allowed
    await hit("d")  # pushes out b, as a came again
    assert not (await hit("a")).allowed
    assert (await hit("b")).allowed
    clock.now += 11
    for _ in range(2):
        await hit("e")
    assert set(windows._times) <= {"e"}
