"""The API while Redis or PostgreSQL is killed: slower or honest, never wrong."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from httpx import ASGITransport, AsyncClient
from pydantic import SecretStr

from api.app import create_app
from cli.stack.postgres import LocalPostgres
from cli.stack.redis import LocalRedis
from registry.schema import upgrade
from registry.settings import RegistrySettings
from tests.api import tokens
from tests.api.calls import churn, created, kind_of
from tests.api.conftest import settings_for

NOBODY = "127.0.0.1:9"
CHURN = "/v1/models/churn"
CHAMPION = f"{CHURN}/aliases/champion"
BACK = "the registry's cache is back"
RECOVERED_S = 60
"""Longest that the API may take to answer again once its database does."""


@asynccontextmanager
async def _api(registry: RegistrySettings) -> AsyncIterator[AsyncClient]:
    settings = settings_for(Path("unused"), NOBODY, check_timeout_s=0.2)
    app = create_app(replace(settings, registry=registry))
    async with (
        app.router.lifespan_context(app),
        AsyncClient(
            transport=ASGITransport(app=app), base_url="http://api", headers=tokens.bearer()
        ) as client,
    ):
        yield client


async def _moved(api: AsyncClient, version: int, left: int) -> int:
    answer = await api.put(CHAMPION, json={"version": version, "from_version": left})
    return answer.status_code


async def test_a_killed_redis_costs_no_answer(
    postgres_url: str, redis_factory: Callable[[], LocalRedis], caplog: pytest.LogCaptureFixture
) -> None:
    """Every read after a move tells of it, before, during and after; nothing is 500 or above.

    While one process has Redis back and the other does not know yet, nothing is moved: the one may
    see for five seconds what it kept.
    """
    redis = redis_factory()
    settings = RegistrySettings(
        database_url=postgres_url,
        redis_url=SecretStr(redis.url),
        cache_rest_s=0.01,
        cache_answer_timeout_s=60,  # it is killed, not slow
        cache_lease_s=0.05,
    )
    caplog.set_level(logging.INFO, logger="registry.cache_guard")
    # The other process moves nothing; it must not believe what it had kept either.
    async with _api(settings) as api, _api(settings) as other:
        await churn(api, versions=2)
        assert await _moved(api, 1, 0) == 200
        at = 1
        for turn in range(12):
            if turn == 4:
                redis.kill()
            if turn == 8:
                redis.start()
                while [each.message for each in caplog.records].count(BACK) < 2:
                    for asked in (api, other):
                        assert (await asked.get(CHAMPION)).json()["version"] == at
            left, at = at, 3 - at
            assert await _moved(api, at, left) == 200, turn
            for asked in (api, other):
                alias = await asked.get(CHAMPION)
                model = await asked.get(CHURN)
                assert (alias.status_code, alias.json()["version"]) == (200, at), turn
                assert (model.status_code, model.json()["last_version"]) == (200, 2), turn


async def test_a_killed_postgres_is_told_until_it_is_back(
    postgres_factory: Callable[[], LocalPostgres],
) -> None:
    """503 with Retry-After, whatever is asked; then all goes on from what was acknowledged."""
    server = postgres_factory()
    settings = RegistrySettings(database_url=server.url(), cache_lease_s=0.001)
    await asyncio.to_thread(upgrade, settings)
    async with _api(settings) as api:
        await churn(api, versions=2)
        assert await _moved(api, 1, 0) == 200
        server.kill()
        refused = [
            await api.get("/v1/models"),
            await api.get(f"{CHURN}/events"),
            await created(api, "/v1/models", {"name": "fraud"}),
            await api.put(CHAMPION, json={"version": 2, "from_version": 1}),
            await api.delete(CHAMPION, headers={"If-Match": "*"}),
            await api.get("/v1/pools/default/servers"),
        ]
        for answer in refused:
            assert kind_of(answer) == (503, "registry-unavailable")
            assert int(answer.headers["retry-after"]) > 0
        server.start()
        async with asyncio.timeout(RECOVERED_S):
            while (await api.get(CHAMPION)).status_code != 200:
                await asyncio.sleep(0.05)
        assert (await api.get(CHAMPION)).json()["version"] == 1
        assert await _moved(api, 2, 1) == 200
        names = [model["name"] for model in (await api.get("/v1/models")).json()["items"]]
        assert names == ["churn"]


_DIES = (
    "CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS "
    "'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NEW; END'",
    "CREATE TRIGGER die AFTER UPDATE ON answers FOR EACH ROW EXECUTE FUNCTION die()",
)


async def test_a_create_that_dies_at_its_answer_is_not_there(postgres_url: str) -> None:
    """The database ends the connection as the answer is kept; the same key creates afterwards."""
    plain = postgres_url.replace("+psycopg", "")
    async with _api(RegistrySettings(database_url=postgres_url)) as api:
        with psycopg.connect(plain, autocommit=True) as connection:
            for statement in _DIES:
                connection.execute(statement)
            died = await created(api, "/v1/models", {"name": "flights"}, key="k")
            assert kind_of(died) == (503, "registry-unavailable")
            connection.execute("DROP TRIGGER die ON answers")
        assert (await api.get("/v1/models")).json()["items"] == []
        first = await created(api, "/v1/models", {"name": "flights"}, key="k")
        again = await created(api, "/v1/models", {"name": "flights"}, key="k")
        assert (first.status_code, again.status_code) == (201, 201)
        assert (again.content, again.headers["etag"]) == (first.content, first.headers["etag"])
