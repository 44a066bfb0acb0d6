"""Repetitions of creates: answered as the first time, or told why not."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from fastapi import Request, Response

from api.idempotency import KEY_MISSING, KEY_REUSED, STILL_RUNNING, Repeats
from api.problems import Kind, Refused
from tests.api.calls import created, kind_of
from tests.api.conftest import OpenApi
from tests.contracts.memory_answers import MemoryAnswers

NOBODY = "127.0.0.1:9"


@dataclass
class Creates:
    """Counts what is created, and may be held up or fail on the way."""

    repeats: Repeats = field(default_factory=lambda: Repeats(MemoryAnswers()))
    made: int = 0
    status: int = 201
    held: asyncio.Event | None = None

    async def ask(
        self, key: str | None = "k", *, subject: str = "ada", body: bytes = b"a"
    ) -> bytes:
        """Send a create; return the body of the answer."""
        request = _request(body)
        answer = await self.repeats.once(request, key, subject=subject, create=self.create)
        return bytes(answer.body)

    async def create(self) -> Response:
        self.made += 1
        number = self.made
        if self.held is not None:
            await self.held.wait()
        return Response(f"{number}", status_code=self.status)


def _request(body: bytes, path: str = "/v1/models") -> Request:
    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": body, "more_body": False}

    return Request({"type": "http", "method": "POST", "path": path, "headers": []}, receive)


async def _refused(asked: Awaitable[object]) -> Kind:
    with pytest.raises(Refused) as caught:
        await asked
    return caught.value.kind


async def test_a_create_happens_once() -> None:
    """Whoever repeats it gets the first answer; another caller, key or path is another create."""
    creates = Creates()
    assert [await creates.ask(), await creates.ask(), await creates.ask("l")] == [b"1", b"1", b"2"]
    assert await creates.ask(subject="bob") == b"3"
    elsewhere = _request(b"a", "/v1/pools")
    answer = await creates.repeats.once(elsewhere, "k", subject="ada", create=creates.create)
    assert (answer.body, creates.made) == (b"4", 4)


async def test_a_key_belongs_to_what_was_sent() -> None:
    """No key is refused, and so is a key that came with another body; nothing is created."""
    creates = Creates()
    assert await _refused(creates.ask(None)) is KEY_MISSING
    await creates.ask()
    assert await _refused(creates.ask(body=b"b")) is KEY_REUSED
    assert creates.made == 1


async def test_a_refusal_is_not_kept() -> None:
    """With what was wrong put right, the same key creates."""
    creates = Creates(status=422)
    await creates.ask(body=b"wrong")
    creates.status = 201
    assert [await creates.ask(), await creates.ask()] == [b"2", b"2"]


@pytest.mark.parametrize("ending", ["answer", "cancel"])
async def test_one_of_many_at_once_creates(ending: str) -> None:
    """The others are told to wait; a caller who hangs up leaves the key free."""
    creates = Creates(held=asyncio.Event())
    first = asyncio.create_task(creates.ask())
    while not creates.made:
        await asyncio.sleep(0)
    others = [await _refused(creates.ask()) for _ in range(3)]
    assert others == [STILL_RUNNING] * 3
    assert creates.held is not None
    if ending == "cancel":
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
    creates.held.set()
    if ending == "answer":
        assert await first == b"1"
    assert await creates.ask() == (b"1" if ending == "answer" else b"2")


async def test_a_dead_try_is_replaced() -> None:
    """Its process ended before it answered; the key is free after a while, or when it expires."""
    for repeats in (
        Repeats(MemoryAnswers(), dead_after=timedelta(microseconds=-1)),
        Repeats(MemoryAnswers(), kept_for=timedelta(0)),
    ):
        creates = Creates(repeats, held=asyncio.Event())
        first = asyncio.create_task(creates.ask())
        while not creates.made:
            await asyncio.sleep(0)
        second = asyncio.create_task(creates.ask())
        while creates.made < 2:
            await asyncio.sleep(0)
        assert creates.held is not None
        creates.held.set()
        assert sorted([await first, await second]) == [b"1", b"2"]


async def test_a_key_over_http(open_api: OpenApi) -> None:
    """Missing 400, used for something else 422; the answer says until when it is kept."""
    async with open_api(NOBODY) as api:
        missing = await api.post("/v1/models", json={"name": "a"})
        assert kind_of(missing) == (400, "idempotency-key-missing")
        first = await created(api, "/v1/models", {"name": "a"}, key="k")
        again = await created(api, "/v1/models", {"name": "a"}, key="k")
        kept = ("location", "etag", "content-type", "idempotency-key-expires")
        assert [again.headers[name] for name in kept] == [first.headers[name] for name in kept]
        assert "idempotency-replayed" not in first.headers
        other = await created(api, "/v1/models", {"name": "b"}, key="k")
        assert kind_of(other) == (422, "idempotency-key-reused")
        taken = await created(api, "/v1/models", {"name": "a"}, key="l")
        assert kind_of(taken) == (409, "already-exists")
        assert (await created(api, "/v1/models", {"name": "b"}, key="l")).status_code == 201
        names = [model["name"] for model in (await api.get("/v1/models")).json()["items"]]
        assert names == ["a", "b"]
