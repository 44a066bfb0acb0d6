"""Aliases over HTTP: moved from where their mover believes them, remembered forever."""

from datetime import UTC, datetime

from httpx import AsyncClient, Response

from api.models.examples import DRAFT
from tests.api.calls import churn, created, deleted, kind_of
from tests.api.conftest import OpenApi

NOBODY = "127.0.0.1:9"
CHURN = "/v1/models/churn"
CHAMPION = f"{CHURN}/aliases/champion"
PROTECTION = f"{CHAMPION}/protection"


async def test_who_was_slower_is_told(open_api: OpenApi) -> None:
    """By tag, by newness or by the version it pointed to; never by nothing."""
    async with open_api(NOBODY) as api:
        await churn(api, versions=3)
        first = await api.put(CHAMPION, json={"version": 1}, headers={"If-None-Match": "*"})
        assert first.status_code == 200
        taken = await api.put(CHAMPION, json={"version": 2}, headers={"If-None-Match": "*"})
        assert kind_of(taken) == (412, "alias-moved")
        assert taken.json()["version"] == 1
        tag = {"If-Match": first.headers["etag"]}
        assert (await api.put(CHAMPION, json={"version": 2}, headers=tag)).status_code == 200
        late = await api.put(CHAMPION, json={"version": 3}, headers=tag)
        assert kind_of(late) == (412, "changed-meanwhile")
        wrong = await api.put(CHAMPION, json={"version": 3, "from_version": 1})
        assert kind_of(wrong) == (412, "alias-moved")
        unsaid = await api.put(CHAMPION, json={"version": 3})
        assert kind_of(unsaid) == (428, "if-match-missing")
        lost = await api.put(CHAMPION, json={"version": 9, "from_version": 2})
        assert kind_of(lost) == (404, "unknown-version")
        assert (await api.get(CHAMPION)).json()["version"] == 2
        other = await api.put(
            "/v1/models/churn/aliases/new", json={"version": 1}, headers={"If-Match": "*"}
        )
        assert kind_of(other) == (412, "alias-moved")


async def test_what_it_was_then_is_one_question(open_api: OpenApi) -> None:
    """Before, between and after moves, and once it is gone."""
    async with open_api(NOBODY) as api:
        await churn(api, versions=2)
        before = datetime.now(UTC).isoformat()
        await _move(api, 1, 0, "the first")
        between = datetime.now(UTC).isoformat()
        await _move(api, 2, 1, "smaller errors")
        after = datetime.now(UTC).isoformat()
        assert (await deleted(api, CHAMPION)).status_code == 204
        end = datetime.now(UTC).isoformat()
        assert kind_of(await _at(api, before)) == (404, "unknown-alias")
        then = (await _at(api, between)).json()
        told = (then["version"], then["from_version"], then["by"], then["why"])
        assert told == (1, None, "tester", "the first")
        later = (await _at(api, after)).json()
        assert (later["version"], later["from_version"], later["why"]) == (2, 1, "smaller errors")
        assert (await _at(api, end)).json()["version"] is None
        assert kind_of(await _at(api, "2026-05-03T02:00:00")) == (422, "invalid-request")
        assert kind_of(await _at(api, "0001-01-01T00:00:00+14:00")) == (422, "invalid-request")
        moves = await api.get(
            "/v1/models/churn/events", params={"kind": "alias.moved", "alias": "champion"}
        )
        assert [move["version"] for move in moves.json()["items"]] == [2, 1]


async def test_a_protection_is_for_the_state_that_was_seen(open_api: OpenApi) -> None:
    """That of the model, whose part it is: put on, taken off, kept when the model is deleted."""
    async with open_api(NOBODY) as api:
        await churn(api)
        seen = {"If-Match": (await api.get(CHURN)).headers["etag"]}
        assert kind_of(await api.put(PROTECTION)) == (428, "if-match-missing")
        made = await api.put(PROTECTION, headers=seen)
        assert (made.status_code, made.json()["protected"]) == (200, ["champion"])
        assert made.headers["etag"] == (await api.get(CHURN)).headers["etag"]
        assert kind_of(await api.put(PROTECTION, headers=seen)) == (412, "changed-meanwhile")
        late = await deleted(api, PROTECTION, seen["If-Match"])
        assert kind_of(late) == (412, "changed-meanwhile")
        assert kind_of(await api.delete(PROTECTION)) == (428, "if-match-missing")
        assert (await deleted(api, CHURN)).status_code == 204
        assert (await created(api, "/v1/models", {"name": "churn"})).status_code == 201
        kept = await api.get(CHURN)
        assert kept.json()["protected"] == ["champion"]
        free = await deleted(api, PROTECTION, kept.headers["etag"])
        assert (free.status_code, free.json()["protected"]) == (200, [])


async def test_a_route_is_not_left_behind(open_api: OpenApi) -> None:
    """Neither by a move nor by a protection that it does not fit."""
    async with open_api(NOBODY) as api:
        await churn(api, versions=2)
        more = DRAFT["signature"] | {"max_batch_size": 2**20}
        other = DRAFT | {"digest": f"sha256:{3:064x}", "signature": more}
        assert (await created(api, f"{CHURN}/versions", other)).status_code == 201
        await _move(api, 1, 0, "the first")
        split = {"canaries": [{"version": 2, "percent": 1}]}
        made = await api.put(f"{CHAMPION}/route", json=split, headers={"If-None-Match": "*"})
        assert made.status_code == 200
        moved = await api.put(CHAMPION, json={"version": 3, "from_version": 1})
        assert kind_of(moved) == (409, "route-in-the-way")
        protected = await api.put(PROTECTION, headers={"If-Match": "*"})
        assert kind_of(protected) == (409, "route-in-the-way")
        assert "churn@2 lacks the approval" in protected.json()["detail"]


async def test_aliases_are_listed_by_name(open_api: OpenApi) -> None:
    """Page by page."""
    async with open_api(NOBODY) as api:
        await churn(api)
        for name in ("shadow", "champion"):
            path = f"/v1/models/churn/aliases/{name}"
            assert (await api.put(path, json={"version": 1, "from_version": 0})).status_code == 200
        page = (await api.get("/v1/models/churn/aliases?page_size=1")).json()
        assert [alias["name"] for alias in page["items"]] == ["champion"]
        rest = await api.get(
            "/v1/models/churn/aliases", params={"page_size": 1, "cursor": page["next_cursor"]}
        )
        assert [alias["name"] for alias in rest.json()["items"]] == ["shadow"]


async def _move(api: AsyncClient, version: int, from_version: int, why: str) -> None:
    body = {"version": version, "from_version": from_version, "why": why}
    assert (await api.put(CHAMPION, json=body)).status_code == 200


async def _at(api: AsyncClient, time: str) -> Response:
    return await api.get(f"{CHAMPION}/at", params={"time": time})
