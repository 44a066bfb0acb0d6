"""Reads that are kept: what is asked of the database again, and what is not."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from httpx import ASGITransport, AsyncClient, Response
from pydantic import SecretStr

from api.app import create_app
from registry.cache_redis import RedisCache
from registry.settings import RegistrySettings
from tests.api import tokens
from tests.api.calls import churn, created
from tests.api.conftest import settings_for

NOBODY = "127.0.0.1:9"
READS = (
    "/v1/models",
    "/v1/models/churn",
    "/v1/models/churn/versions",
    "/v1/models/churn/versions/1",
    "/v1/models/churn/aliases",
    "/v1/models/churn/aliases/champion",
    "/v1/pools",
    "/v1/pools/night",
)
TAGGED = [path for path in READS if not path.endswith("s")]


@asynccontextmanager
async def opened(database: Path, redis: str | None = None) -> AsyncIterator[AsyncClient]:
    """Open the API with a model that is live, a pool, and lives that no test outlasts."""
    registry = RegistrySettings(
        database_url=f"sqlite:///{database}",
        redis_url=SecretStr(redis) if redis else None,
        cache_alias_life_s=600,
        cache_absent_life_s=600,
        cache_answer_timeout_s=10,
    )
    app = create_app(
        replace(settings_for(database, NOBODY, check_timeout_s=0.2), registry=registry)
    )
    async with (
        app.router.lifespan_context(app),
        AsyncClient(
            transport=ASGITransport(app=app), base_url="http://api", headers=tokens.bearer()
        ) as client,
    ):
        await churn(client, versions=2)
        moved = await client.put(
            "/v1/models/churn/aliases/champion", json={"version": 1, "from_version": 0}
        )
        assert moved.status_code == 200
        assert (await created(client, "/v1/pools", {"name": "night"})).status_code == 201
        yield client


def _told(answer: Response) -> tuple[int, bytes, str | None, str | None]:
    headers = answer.headers
    return answer.status_code, answer.content, headers.get("etag"), headers.get("link")


async def _read(api: AsyncClient) -> dict[str, tuple[int, bytes, str | None, str | None]]:
    return {path: _told(await api.get(path)) for path in READS}


def _past_the_registry(database: Path, *statements: str) -> None:
    """Change rows as somebody would by hand, of which nobody is told."""
    with sqlite3.connect(database) as connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()


async def test_what_was_read_is_not_asked_again(database: Path) -> None:
    """Rows that were changed by hand do not show, neither in reads nor in first pages.

    Another page, or a filter, is asked of the database each time.
    """
    async with opened(database) as api:
        before = await _read(api)
        assert {status for status, *_ in before.values()} == {200}
        _past_the_registry(
            database,
            "UPDATE models SET description = 'by hand'",
            "UPDATE versions SET description = 'by hand'",
            "UPDATE aliases SET version = 2",
            "UPDATE pools SET description = 'by hand'",
        )
        assert await _read(api) == before
        for path in ("/v1/models", "/v1/models/churn/versions", "/v1/pools"):
            (item, *_) = (await api.get(path, params={"page_size": 50})).json()["items"]
            assert item["description"] == "by hand"


async def test_a_change_is_in_the_next_answer(database: Path) -> None:
    """Of the model itself, and in every list that tells of it."""
    async with opened(database) as api:
        await _read(api)
        patch = {"Content-Type": "application/merge-patch+json", "If-Match": "*"}
        for path in ("/v1/models/churn", "/v1/pools/night"):
            told = await api.patch(path, json={"description": "new"}, headers=patch)
            assert told.status_code == 200
            read = await api.get(path)
            assert (read.json(), read.headers["etag"]) == (told.json(), told.headers["etag"])
        for path in ("/v1/models", "/v1/pools"):
            assert (await api.get(path)).json()["items"][-1]["description"] == "new"
        moved = await api.put(
            "/v1/models/churn/aliases/champion", json={"version": 2, "from_version": 1}
        )
        assert (await api.get("/v1/models/churn/aliases")).json()["items"] == [moved.json()]
        assert (await api.get("/v1/models/churn/aliases/champion")).json() == moved.json()


@pytest.mark.parametrize("path", TAGGED)
async def test_who_has_the_present_state_is_told_so(database: Path, path: str) -> None:
    """304 by the tag of the kept answer, the whole answer by another one; and after a change."""
    async with opened(database) as api:
        etag = (await api.get(path)).headers["etag"]
        for tag, status in ((etag, 304), (f"W/{etag}", 304), ('"0"', 200), ("*", 304)):
            answer = await api.get(path, headers={"If-None-Match": tag})
            assert (answer.status_code, answer.headers["etag"]) == (status, etag)
            assert bool(answer.content) == (status == 200)


async def test_a_first_page_says_where_the_next_one_is(database: Path) -> None:
    """Kept or not, the link is the same and leads on."""
    async with opened(database) as api:
        for number in range(60):
            await created(api, "/v1/models", {"name": f"m{number:02}"})
        first, again = await api.get("/v1/models"), await api.get("/v1/models")
        assert _told(first) == _told(again)
        following = (await api.get(first.links["next"]["url"])).json()["items"]
        names = [item["name"] for item in first.json()["items"] + following]
        assert names == ["churn", *(f"m{number:02}" for number in range(60))]


async def test_that_something_is_not_there_is_kept(database: Path) -> None:
    """The same problem again without asking, until it is registered."""
    async with opened(database) as api:
        paths = ("/v1/models/fraud", "/v1/models/fraud/versions", "/v1/models/churn/aliases/x")
        pools = ("/v1/pools/gpu",)
        before = [await api.get(path) for path in (*paths, *pools)]
        assert [answer.status_code for answer in before] == [404] * 4
        _past_the_registry(
            database,
            "INSERT INTO aliases SELECT model_id, 'x', version, moved_at, revision FROM aliases",
            "UPDATE pools SET name = 'gpu' WHERE name = 'night'",
        )
        for path, first in zip((*paths, *pools), before, strict=True):
            again = await api.get(path)
            assert (again.status_code, again.json()["detail"]) == (404, first.json()["detail"])
        await created(api, "/v1/models", {"name": "fraud"})
        assert [(await api.get(path)).status_code for path in paths[:2]] == [200, 200]


@pytest.mark.parametrize(
    "poison",
    [
        b"",
        b"+",
        b'+"1"\n\n',
        b'+"1"\n\n{"name": "fraud"}',
        b'+"1"\n\n[]',
        b'+"1"\r\nSet-Cookie: a=b\n\n{}',
        b"+\xff\n\n{}",
        b'-{"absent":"UnknownModel"}',
    ],
)
async def test_a_poisoned_answer_is_a_miss(database: Path, redis_url: str, poison: bytes) -> None:
    """Whatever lies in Redis under the right sum: the answer is the database's."""
    cache = RedisCache(redis_url, timeout_s=10, lease_s=600, commit_s=1)
    async with opened(database, redis_url) as api:
        for path, scope in (("/v1/models/churn", "churn"), ("/v1/models", "*")):
            before = _told(await api.get(path))
            held = await cache.read(scope, f"GET {path}")
            while held.generation is None:  # the lease is over
                await asyncio.sleep(0.01)
                assert _told(await api.get(path)) == before
                held = await cache.read(scope, f"GET {path}")
            assert held.value is not None
            await cache.keep(scope, f"GET {path}", poison, generation=held.generation, life_s=60)
            assert _told(await api.get(path)) == before
    await cache.close()
