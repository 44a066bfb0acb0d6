"""Repetitions of creates: answered as the first time, or told why not."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest
from fastapi import Request, Response

from api.bodies import INVALID
from api.idempotency import KEY_MISSING, KEY_REUSED, STILL_RUNNING, Repeats
from api.problems import Kind, Refused
from registry.creates import Creates, Rules
from tests.api.calls import created, kind_of
from tests.api.conftest import OpenApi
from tests.contracts.memory_store import MemoryStore

NOBODY = "127.0.0.1:9"


@dataclass
class Counting:
    """Counts what is created; may fail, or be held up while it looks."""

    repeats: Repeats = field(default_factory=lambda: Repeats(Creates(MemoryStore())))
    made: int = 0
    looked: int = 0
    fails: bool = False
    held: asyncio.Event | None = None

    async def ask(
        self, key: str | None = "k", *, subject: str = "ada", body: bytes = b"a"
    ) -> bytes:
        """Send a create; return the body of the answer."""
        request = _request(body)
        answer = await self.repeats.once(request, key, subject=subject, create=self.create)
        return bytes(answer.body)

    async def ask_slowly(self, key: str = "k") -> bytes:
        """Send a create that looks at something first."""
        answer = await self.repeats.once_after(
            _request(b"a"), key, subject="ada", look=self.look, create=self.create
        )
        return bytes(answer.body)

    async def look(self) -> str:
        self.looked += 1
        if self.held is not None:
            await self.held.wait()
        return "looked"

    def create(self, rules: Rules, found: str = "") -> Response:
        if self.fails:
            raise Refused(INVALID, "no")
        self.made += 1
        return Response(f"{found}{self.made}", status_code=201)

    async def until_looked(self, times: int = 1) -> None:
        while self.looked < times:
            await asyncio.sleep(0)


def _request(body: bytes, path: str = "/v1/models") -> Request:
    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": body, "more_body": False}

    return Request({"type": "http", "method": "POST", "path": path, "headers": []}, receive)


def _heard_of(store: MemoryStore) -> datetime:
    with store.reading() as rows:
        ((claim, _),) = rows.all_keys.values()
    return claim.now


async def _refused(asked: Awaitable[object]) -> Kind:
    with pytest.raises(Refused) as caught:
        await asked
    return caught.value.kind


async def test_a_create_happens_once() -> None:
    """Whoever repeats it gets the first answer; another caller, key or path is another create."""
    creates = Counting()
    assert [await creates.ask(), await creates.ask(), await creates.ask("l")] == [b"1", b"1", b"2"]
    assert await creates.ask(subject="bob") == b"3"
    elsewhere = _request(b"a", "/v1/pools")
    answer = await creates.repeats.once(elsewhere, "k", subject="ada", create=creates.create)
    assert (answer.body, creates.made) == (b"4", 4)


async def test_a_key_belongs_to_what_was_sent() -> None:
    """No key is refused, and so is a key that came with another body; nothing is created."""
    creates = Counting()
    assert await _refused(creates.ask(None)) is KEY_MISSING
    await creates.ask()
    assert await _refused(creates.ask(body=b"b")) is KEY_REUSED
    assert creates.made == 1


async def test_a_refusal_is_not_kept() -> None:
    """With what was wrong put right, the same key creates."""
    creates = Counting(fails=True)
    assert await _refused(creates.ask(body=b"wrong")) is INVALID
    assert await _refused(creates.ask_slowly("l")) is INVALID
    creates.fails = False
    assert [await creates.ask(), await creates.ask()] == [b"1", b"1"]
    assert await creates.ask_slowly("l") == b"looked2"


async def test_many_at_once_get_one_answer() -> None:
    """What lies in the database alone takes so little that they wait for it."""
    creates = Counting()
    assert await asyncio.gather(*(creates.ask() for _ in range(5))) == [b"1"] * 5


@pytest.mark.parametrize("ending", ["answer", "cancel"])
async def test_one_of_many_at_once_looks(ending: str) -> None:
    """The others are told to wait; a caller who hangs up leaves the key free."""
    creates = Counting(held=asyncio.Event())
    first = asyncio.create_task(creates.ask_slowly())
    await creates.until_looked()
    others = [await _refused(creates.ask_slowly()) for _ in range(3)]
    assert others == [STILL_RUNNING] * 3
    assert creates.held is not None
    if ending == "cancel":
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
    creates.held.set()
    if ending == "answer":
        assert await first == b"looked1"
    assert await creates.ask_slowly() == b"looked1"
    assert creates.looked == (1 if ending == "answer" else 2)


async def test_a_try_that_seemed_dead_makes_nothing() -> None:
    """Another took the key, which is alone to create, whichever ends its look first."""
    creates = Counting(held=asyncio.Event())
    hasty = replace(creates.repeats, dead_after=timedelta(microseconds=-1))
    first = asyncio.create_task(creates.ask_slowly())
    await creates.until_looked()
    creates.repeats, held = hasty, creates.held
    creates.held = None
    assert await creates.ask_slowly() == b"looked1"
    assert held is not None
    held.set()
    assert (await first, creates.looked, creates.made) == (b"looked1", 2, 1)


async def test_a_long_look_gives_signs_of_life() -> None:
    """Its key is claimed anew while it looks, so that nobody takes it for dead."""
    store = MemoryStore()
    repeats = Repeats(Creates(store), dead_after=timedelta(milliseconds=3))
    creates = Counting(repeats, held=asyncio.Event())
    first = asyncio.create_task(creates.ask_slowly())
    await creates.until_looked()
    begun = _heard_of(store)
    while _heard_of(store) == begun:
        await asyncio.sleep(0.001)
    assert creates.held is not None
    creates.held.set()
    assert await first == b"looked1"


async def test_an_expired_key_is_another_one() -> None:
    """What is forgotten may be created again."""
    creates = Counting(Repeats(Creates(MemoryStore()), kept_for=timedelta(0)))
    assert [await creates.ask(), await creates.ask()] == [b"1", b"2"]


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
