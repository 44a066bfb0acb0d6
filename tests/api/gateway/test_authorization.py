"""Authorization: each route of the API is for its scopes, and for nobody else."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.app import OPEN_PATHS, create_app
from api.gateway.authorization import requires
from api.gateway.paths import PathSet
from api.gateway.route_table import RouteTable
from api.gateway.scopes import ALL_SCOPES, SCOPES
from api.settings import Settings
from api.v2 import not_offered
from tests.api import tokens
from tests.api.conftest import OpenApi, settings_for
from tests.api.gateway.conftest import NOBODY, client_of

DESCRIBED = create_app(settings_for(Path("registry.db"), "127.0.0.1:9")).openapi()
_METHODS = ("get", "put", "post", "patch", "delete")


def operations() -> Iterator[tuple[str, str, frozenset[str]]]:
    """Go through every operation that OpenAPI knows, with the scopes that it names."""
    for path, item in DESCRIBED["paths"].items():
        for method in _METHODS:
            if method in item:
                named = [scheme.get("bearer", []) for scheme in item[method].get("security", [])]
                yield method.upper(), path, frozenset(scope for each in named for scope in each)


def every_route() -> Iterator[tuple[str, str]]:
    """Go through every method and path that the application answers, described or not."""
    app = create_app(settings_for(Path("registry.db"), "127.0.0.1:9"))
    table = RouteTable()
    table.learn(app.routes)
    yield from table


def filled(path: str) -> str:
    """Return the path with something for each parameter."""
    return path.replace("{", "").replace("}", "")


OPERATIONS = sorted(operations(), key=lambda each: each[:2])
GUARDED = [each for each in OPERATIONS if each[1] not in PathSet(OPEN_PATHS)]
HIDDEN = sorted(
    {each for each in every_route() if each[1] not in PathSet(OPEN_PATHS)}
    - {each[:2] for each in OPERATIONS}
)
"""What is answered and not described."""


def test_every_route_names_its_scopes() -> None:
    """What is not open has one, and each is in the table."""
    assert len(GUARDED) > 20
    assert [each[:2] for each in GUARDED if not each[2]] == []
    assert frozenset(scope for each in OPERATIONS for scope in each[2]) <= ALL_SCOPES
    assert [each for each in OPERATIONS if each not in GUARDED and each[2]] == []


def test_no_route_is_left_out() -> None:
    """Each that the application answers is described, open, or in the table of those hidden."""
    assert {path for _, path in HIDDEN} == {*not_offered.PATHS, "/v2/"}
    parts = {"/".join(path.split("/")[1:3]) for _, path, _ in GUARDED}
    management = {"v1/models", "v1/pools", "v1/jobs", "v1/routing"}
    assert parts == management | {"v2", "v2/models", "v2/repository"}


async def test_what_is_not_offered_is_not_told_to_everyone(open_api: OpenApi) -> None:
    """Hidden routes have a scope as well."""
    async with open_api(NOBODY) as api:
        for scopes in (frozenset[str](), ALL_SCOPES - {"inference:run"}):
            api.headers.update(tokens.bearer(scopes))
            for method, path in HIDDEN:
                assert (await api.request(method, filled(path))).status_code == 403, path
        del api.headers["Authorization"]
        for method, path in HIDDEN:
            assert (await api.request(method, filled(path))).status_code == 401, path


async def test_no_scope_opens_the_route_of_another(open_api: OpenApi) -> None:
    """Every route with every single scope, with all but its own, with none and without a token.

    Nothing else is judged before: the body is wrong and the path names nothing.
    """
    crossed = []
    async with open_api(NOBODY) as api:
        del api.headers["Authorization"]

        async def status(method: str, path: str, headers: dict[str, str]) -> int:
            return (await api.request(method, filled(path), headers=headers)).status_code

        for method, path, needed in GUARDED:
            assert await status(method, path, {}) == 401
            held: list[frozenset[str]] = [frozenset({name}) for name in SCOPES]
            for scopes in (*held, ALL_SCOPES - needed, frozenset()):
                if needed <= scopes:
                    continue
                if await status(method, path, tokens.bearer(scopes)) != 403:
                    crossed.append((method, path, scopes))
    assert crossed == []


async def test_who_lacks_a_scope_is_told_which(settings: Settings) -> None:
    """In the body, and in the header as RFC 6750 has it."""
    async with client_of(settings) as api:
        answer = await api.get("/probe/slow/0", headers=tokens.bearer({"models:write"}))
    assert answer.status_code == 403
    assert answer.headers["www-authenticate"] == (
        'Bearer realm="nightshift", error="insufficient_scope", scope="models:read"'
    )
    assert answer.json()["missing_scopes"] == ["models:read"]


def test_a_scope_that_does_not_exist_is_a_fault_of_ours() -> None:
    """Told when the route is declared."""
    unknown: Any = "models:raed"
    with pytest.raises(ValueError, match="models:raed"):
        requires(unknown)
    with pytest.raises(ValueError, match="no scope at all"):
        requires()
