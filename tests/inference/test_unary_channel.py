"""Calls over our own HTTP/2, against the servers of gRPC itself."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from inference.grpc_fields import CallFailed
from inference.unary_channel import UnaryChannel
from tests.inference.unary_server import MEBIBYTE, Service, serving

MOST = 32 * MEBIBYTE
LARGE = bytes(range(256)) * (MEBIBYTE // 64)


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    """A server that runs."""
    service = Service()
    async with serving(service):
        yield service


@pytest.fixture
async def channel(service: Service) -> AsyncIterator[UnaryChannel]:
    """A channel to it."""
    channel = UnaryChannel(f"127.0.0.1:{service.port}", max_bytes=MOST)
    yield channel
    await channel.close(within_s=60)


async def ask(
    channel: UnaryChannel,
    method: str,
    *pieces: bytes | memoryview,
    timeout_s: float = 60,
    grace_s: float = 0,
) -> bytes:
    """Call a method."""
    more = {"traceparent": "00-a-b-01"}
    return await channel.call(
        f"/t/{method}", pieces, timeout_s=timeout_s, grace_s=grace_s, more=more
    )


async def failed(channel: UnaryChannel, method: str, message: bytes, **told: float) -> list[str]:
    """Return how a call fails."""
    with pytest.raises(CallFailed) as caught:
        await ask(channel, method, message, **told)
    return [caught.value.code, caught.value.words]


@pytest.mark.parametrize(
    "pieces",
    [(), (b"",), (b"one",), (b"one", b"", memoryview(b"two")), (b"head", LARGE, memoryview(LARGE))],
    ids=["none", "empty", "small", "pieces", "large"],
)
async def test_what_is_sent_comes_back(
    channel: UnaryChannel, pieces: tuple[bytes | memoryview, ...]
) -> None:
    """The message is what its pieces make together, more than the window in both directions too."""
    assert await ask(channel, "Echo", *pieces) == b"".join(pieces)


async def test_calls_go_side_by_side(channel: UnaryChannel) -> None:
    """Large ones and small ones share a connection; each gets its own answer."""
    messages = [b"%d" % number * (1 + number % 5 * 100_000) for number in range(60)]
    answers = await asyncio.gather(*(ask(channel, "Echo", each) for each in messages))
    assert answers == messages


async def test_a_small_call_passes_a_large_one(channel: UnaryChannel, service: Service) -> None:
    """Nobody waits until the large message of another one is sent."""
    large = asyncio.create_task(ask(channel, "Echo", *[LARGE] * 6))
    await asyncio.sleep(0)
    assert await ask(channel, "Echo", b"small") == b"small"
    assert len(await large) == 6 * len(LARGE)


async def test_more_is_told(channel: UnaryChannel) -> None:
    """The server hears of the deadline, however long, and of the fields besides."""
    assert await ask(channel, "Told", timeout_s=50) == b"00-a-b-01 50"
    assert await ask(channel, "Told", timeout_s=5000) == b"00-a-b-01 5000"


@pytest.mark.parametrize("code", ["INVALID_ARGUMENT", "UNAVAILABLE", "UNAUTHENTICATED"])
async def test_a_failure_is_told_in_the_words_of_the_server(
    channel: UnaryChannel, code: str
) -> None:
    """Whatever language they are in; the connection goes on."""
    words = "no, 100 % größer\nthan that"
    assert await failed(channel, "Fail", f"{code} {words}".encode()) == [code, words]
    assert await ask(channel, "Echo", b"next") == b"next"


async def test_an_unknown_method_is_told(channel: UnaryChannel) -> None:
    """Also where nothing but a status comes."""
    assert (await failed(channel, "Other", b""))[0] == "UNIMPLEMENTED"


async def test_a_deadline_ends_a_call_here_and_there(
    channel: UnaryChannel, service: Service
) -> None:
    """Whoever asked hears of it, the server has nothing more to do, the connection goes on."""
    assert (await failed(channel, "Wait", b"", timeout_s=0.05))[0] == "DEADLINE_EXCEEDED"
    assert await ask(channel, "Echo", b"next") == b"next"
    await until(lambda: service.waiting == 0)


async def test_a_cancelled_call_may_end_by_itself(channel: UnaryChannel, service: Service) -> None:
    """Within its grace the server is not told; what it answers then disturbs nobody."""
    asking = asyncio.create_task(ask(channel, "Wait", b"", grace_s=60))
    await until(lambda: service.waiting == 1)
    asking.cancel()
    assert isinstance((await asyncio.gather(asking, return_exceptions=True))[0], BaseException)
    assert await ask(channel, "Echo", b"next") == b"next"
    service.go_on.set()
    await until(lambda: service.waiting == 0)
    assert service.cancelled == 0


async def test_a_cancelled_call_ends_after_its_grace(
    channel: UnaryChannel, service: Service
) -> None:
    """The server is told then."""
    asking = asyncio.create_task(ask(channel, "Wait", b"", grace_s=0.05))
    await until(lambda: service.waiting == 1)
    asking.cancel()
    await until(lambda: service.cancelled == 1)


async def test_closing_waits_for_what_was_abandoned(
    channel: UnaryChannel, service: Service
) -> None:
    """No longer than it is told to."""
    asking = asyncio.create_task(ask(channel, "Wait", b"", grace_s=60))
    await until(lambda: service.waiting == 1)
    asking.cancel()
    closing = asyncio.create_task(channel.close(within_s=60))
    await asyncio.sleep(0.05)
    assert not closing.done()
    service.go_on.set()
    await asyncio.wait_for(closing, timeout=60)
    assert service.cancelled == 0


async def test_an_answer_beyond_the_limit_is_refused(service: Service) -> None:
    """It is not taken in first."""
    channel = UnaryChannel(f"127.0.0.1:{service.port}", max_bytes=1000)
    assert await ask(channel, "Echo", bytes(1000)) == bytes(1000)
    assert (await failed(channel, "Echo", bytes(1001)))[0] == "RESOURCE_EXHAUSTED"
    assert await ask(channel, "Echo", b"next") == b"next"
    await channel.close(within_s=60)


async def test_a_server_that_comes_back_is_asked_again() -> None:
    """Calls under way fail as those do that find nobody; soon after its start it answers."""
    service = Service()
    async with serving(service):
        channel = UnaryChannel(f"127.0.0.1:{service.port}", max_bytes=MOST)
        asking = asyncio.create_task(failed(channel, "Wait", b""))
        await until(lambda: service.waiting == 1)
    # Which of both is first, the reset of the call or the connection's end, is the server's.
    assert (await asking)[0] in {"UNAVAILABLE", "CANCELLED"}
    assert (await failed(channel, "Echo", b""))[0] in {"UNAVAILABLE", "CANCELLED"}
    async with serving(service):
        async with asyncio.timeout(60):
            while (answer := await answer_or_failure(channel)) != "back":
                assert answer == "UNAVAILABLE"
                await asyncio.sleep(0.02)
        await channel.close(within_s=60)


async def test_who_does_not_speak_http2_is_told_apart() -> None:
    """Whatever answers, calls fail, and none of them hangs."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n" * 10)
        await reader.read()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        channel = UnaryChannel(address, max_bytes=MOST)
        assert (await failed(channel, "Echo", b""))[0] == "UNAVAILABLE"
        await channel.close(within_s=60)


async def test_who_never_answers_is_not_awaited_for_long() -> None:
    """The caller's time ends the wait for a connection as well."""

    async def keep_silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(keep_silent, "127.0.0.1", 0)
    async with server:
        address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        channel = UnaryChannel(address, max_bytes=MOST)
        assert (await failed(channel, "Echo", b"", timeout_s=0.05))[0] == "DEADLINE_EXCEEDED"
        assert (await failed(channel, "Echo", b""))[0] == "UNAVAILABLE"
        await channel.close(within_s=60)


async def test_nobody_is_asked_after_the_end(channel: UnaryChannel) -> None:
    """No connection is made that nobody would close."""
    await channel.close(within_s=60)
    assert await failed(channel, "Echo", b"") == ["UNAVAILABLE", "the connection is closed"]


async def answer_or_failure(channel: UnaryChannel) -> str:
    """Return `back`, or how the call failed."""
    try:
        return (await ask(channel, "Echo", b"back")).decode()
    except CallFailed as error:
        return error.code


async def until(true: Callable[[], bool]) -> None:
    """Wait until a function returns a true value."""
    async with asyncio.timeout(60):
        while not true():
            await asyncio.sleep(0.01)
