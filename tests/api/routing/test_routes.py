"""Routes over HTTP: split, compared and set, explained, ended."""

from typing import Any

from httpx import AsyncClient, Response

from tests.api import tokens
from tests.api.calls import churn, deleted, kind_of
from tests.api.conftest import OpenApi

NOBODY = "127.0.0.1:9"
CHAMPION = "/v1/models/churn/aliases/champion"
ROUTE = f"{CHAMPION}/route"
TENTH: dict[str, Any] = {"canaries": [{"version": 2, "percent": 10}], "why": "smaller errors"}
NEW = {"If-None-Match": "*"}


async def _champion(api: AsyncClient) -> None:
    await churn(api, versions=3)
    moved = await api.put(CHAMPION, json={"version": 1}, headers=NEW)
    assert moved.status_code == 200


async def test_a_route_is_set_seen_and_cleared(open_api: OpenApi) -> None:
    """With what it keeps from being deleted."""
    async with open_api(NOBODY) as api:
        await _champion(api)
        assert kind_of(await api.get(ROUTE)) == (404, "unknown-route")
        made = await api.put(
            ROUTE, json=TENTH | {"shadow": {"version": 3, "percent": 0.5}}, headers=NEW
        )
        assert made.status_code == 200
        body = made.json()
        assert (body["canaries"], body["shadow"], body["changed_by"]) == (
            [{"version": 2, "percent": 10.0}],
            {"version": 3, "percent": 0.5},
            "tester",
        )
        seen = await api.get(ROUTE)
        assert (seen.json(), seen.headers["etag"]) == (body, made.headers["etag"])
        in_use = await deleted(api, "/v1/models/churn/versions/3")
        assert kind_of(in_use) == (409, "in-use")
        assert in_use.json()["referents"] == [{"kind": "route", "name": "churn@champion"}]
        assert kind_of(await deleted(api, CHAMPION)) == (409, "in-use")
        compared = (await api.get(f"{ROUTE}/comparison")).json()
        assert (compared["shadow"], compared["rows"], compared["agreement"]) == (3, 0, None)
        assert (await deleted(api, ROUTE)).status_code == 204
        events = (await api.get("/v1/models/churn/events", params={"kind": "route.set"})).json()
        assert [(e["alias"], e["why"]) for e in events["items"]] == [("champion", "smaller errors")]


async def test_who_was_slower_is_told(open_api: OpenApi) -> None:
    """By tag or by newness; never by nothing."""
    async with open_api(NOBODY) as api:
        await _champion(api)
        assert kind_of(await api.put(ROUTE, json=TENTH)) == (428, "if-match-missing")
        unmade = await api.put(ROUTE, json=TENTH, headers={"If-Match": "*"})
        assert kind_of(unmade) == (412, "changed-meanwhile")
        first = await api.put(ROUTE, json=TENTH, headers=NEW)
        assert kind_of(await api.put(ROUTE, json=TENTH, headers=NEW)) == (412, "changed-meanwhile")
        tag = {"If-Match": first.headers["etag"]}
        more = {"canaries": [{"version": 2, "percent": 50}]}
        assert (await api.put(ROUTE, json=more, headers=tag)).status_code == 200
        assert kind_of(await api.put(ROUTE, json=TENTH, headers=tag)) == (412, "changed-meanwhile")
        assert kind_of(await deleted(api, ROUTE, tag["If-Match"])) == (412, "changed-meanwhile")


async def test_a_protected_alias_is_split_by_an_approver(open_api: OpenApi) -> None:
    """A canary goes live like a move: set, changed and ended by who may approve."""
    writer = tokens.bearer({"models:read", "models:write"})
    async with open_api(NOBODY) as api:
        await _champion(api)
        said = {**tokens.bearer(subject="grace"), "Idempotency-Key": "1"}
        await api.post("/v1/models/churn/versions/2/approvals", json={}, headers=said)
        gate = await api.put(f"{CHAMPION}/protection", headers={"If-Match": "*"})
        assert gate.status_code == 200
        refused = await api.put(ROUTE, json=TENTH, headers=NEW | writer)
        assert (refused.status_code, refused.json()["missing_scopes"]) == (403, ["models:approve"])
        shadow = {"shadow": {"version": 3, "percent": 1}}
        assert (await api.put(ROUTE, json=shadow, headers=NEW | writer)).status_code == 200
        assert (await api.put(ROUTE, json=TENTH, headers={"If-Match": "*"})).status_code == 200
        kept = await api.delete(ROUTE, headers={"If-Match": "*"} | writer)
        assert (kept.status_code, kept.json()["missing_scopes"]) == (403, ["models:approve"])
        assert (await deleted(api, ROUTE)).status_code == 204


async def test_what_does_not_fit_is_refused(open_api: OpenApi) -> None:
    """Shares above the whole, nothing at all, a version that is not there."""
    async with open_api(NOBODY) as api:
        await _champion(api)

        async def put(**body: Any) -> Response:
            return await api.put(ROUTE, json=body, headers=NEW)

        both = [{"version": 2, "percent": 60}, {"version": 3, "percent": 60}]
        assert kind_of(await put(canaries=both)) == (422, "invalid-request")
        assert kind_of(await put()) == (422, "invalid-request")
        lost = await put(canaries=[{"version": 9, "percent": 1}])
        assert kind_of(lost) == (404, "unknown-version")
        assert kind_of(await api.get("/v1/models/x/aliases/y/route")) == (404, "unknown-model")


async def test_a_decision_is_explained(open_api: OpenApi) -> None:
    """Which version, and why there is no server for it."""
    async with open_api(NOBODY) as api:
        await _champion(api)
        await api.put(ROUTE, json=TENTH, headers=NEW)
        asked = {"model": "churn@champion", "sticky_key": "user-7"}
        told = (await api.get("/v1/routing/explain", params=asked)).json()
        assert (told["version"], told["variant"], told["why_version"]) == (
            "1",
            "stable",
            "its sticky key lies at 98.98 %; the alias's version has 90 %",
        )
        assert [server["server"] for server in told["servers"]] == [NOBODY]
        for asked, expected in (
            ({"model": "nobody"}, (404, "not-served")),
            ({"model": "churn@next"}, (404, "not-served")),
            ({"model": "a/b"}, (422, "invalid-request")),
            ({"model": "churn", "pinned": "3"}, (422, "invalid-request")),
        ):
            assert kind_of(await api.get("/v1/routing/explain", params=asked)) == expected
