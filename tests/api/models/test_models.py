"""Models over HTTP: created once, changed by who has seen them, deleted when nothing uses them."""

from httpx import AsyncClient

from tests.api.calls import churn, created, deleted, kind_of, patched
from tests.api.conftest import OpenApi
from tests.api.tokens import bearer

NOBODY = "127.0.0.1:9"


async def test_a_models_life(open_api: OpenApi) -> None:
    """Each change moves the entity tag, and only who has the present one may change it."""
    async with open_api(NOBODY) as api:
        made = await created(api, "/v1/models", {"name": "fraud", "tags": {"team": "pay"}})
        assert (made.status_code, made.headers["location"]) == (201, "/v1/models/fraud")
        tag = made.headers["etag"]
        assert (await api.get("/v1/models/fraud")).json() == made.json()
        known = await api.get("/v1/models/fraud", headers={"If-None-Match": tag})
        assert (known.status_code, known.content, known.headers["etag"]) == (304, b"", tag)
        await _changes(api, tag)
        gone = await deleted(api, "/v1/models/fraud")
        assert (gone.status_code, gone.content) == (204, b"")
        assert kind_of(await api.get("/v1/models/fraud")) == (404, "unknown-model")
        told = (await api.get("/v1/models/fraud/events")).json()["items"]
        assert [event["kind"] for event in told] == [
            "model.deleted",
            "model.changed",
            "model.created",
        ]


async def _changes(api: AsyncClient, tag: str) -> None:
    path = "/v1/models/fraud"
    patch = {"description": "Payments", "tags": {"team": None, "tier": "1"}}
    changed = await patched(api, path, patch, tag)
    told = changed.json()
    assert changed.status_code == 200
    assert (told["description"], told["tags"]) == ("Payments", {"tier": "1"})
    late = await patched(api, path, patch, tag)
    assert kind_of(late) == (412, "changed-meanwhile")
    assert late.headers["etag"] == changed.headers["etag"] != tag
    unseen = await api.patch(
        path, json=patch, headers={"Content-Type": "application/merge-patch+json"}
    )
    assert kind_of(unseen) == (428, "if-match-missing")
    other = await api.patch(path, json=patch, headers={"If-Match": "*"})
    assert kind_of(other) == (415, "not-a-merge-patch")
    assert other.headers["accept-patch"] == "application/merge-patch+json"
    assert kind_of(await api.delete(path)) == (428, "if-match-missing")
    assert kind_of(await deleted(api, path, tag)) == (412, "changed-meanwhile")


async def test_what_is_used_stays(open_api: OpenApi) -> None:
    """The refusal lists all that points to it."""
    async with open_api(NOBODY) as api:
        await churn(api)
        for alias in ("champion", "shadow"):
            moved = await api.put(
                f"/v1/models/churn/aliases/{alias}", json={"version": 1, "from_version": 0}
            )
            assert moved.status_code == 200
        await api.put("/v1/pools/default/versions/churn/1")
        for path in ("/v1/models/churn", "/v1/models/churn/versions/1"):
            refused = await deleted(api, path)
            assert kind_of(refused) == (409, "in-use")
            assert refused.json()["referents"] == [
                {"kind": "alias", "name": "champion"},
                {"kind": "alias", "name": "shadow"},
                {"kind": "pool", "name": "default"},
            ]


async def test_pages_hold_each_model_once(open_api: OpenApi) -> None:
    """Whatever the page's size; the link says the same as the cursor."""
    names = [f"m{number:02}" for number in range(7)]
    async with open_api(NOBODY) as api:
        for name in names:
            await created(
                api, "/v1/models", {"name": name, "tags": {"odd": str(int(name[1:]) % 2)}}
            )
        seen: list[str] = []
        following: str | None = "/v1/models?page_size=3&prefix=m"
        while following:
            page = await api.get(following)
            seen += [model["name"] for model in page.json()["items"]]
            following = page.links.get("next", {}).get("url")
            assert (following is None) == (page.json()["next_cursor"] is None)
        assert seen == names
        odd = await api.get("/v1/models", params={"tag": "odd:1"})
        assert [model["name"] for model in odd.json()["items"]] == names[1::2]
        assert len((await api.get("/v1/models", params={"tag": "odd"})).json()["items"]) == 7
        assert (await api.get("/v1/models?created_by=nobody")).json()["items"] == []
        cursor = (await api.get("/v1/models?page_size=1")).json()["next_cursor"]
        other = await api.get("/v1/models", params={"cursor": cursor, "prefix": "m"})
        assert kind_of(other) == (400, "bad-cursor")


async def test_two_tenants_do_not_share_a_key(open_api: OpenApi) -> None:
    """A key is its sender's: the other one meets the name, not the first one's answer."""
    async with open_api(NOBODY) as api:
        first = await created(api, "/v1/models", {"name": "a"}, key="k")
        again = await created(api, "/v1/models", {"name": "a"}, key="k")
        assert (again.status_code, again.json()) == (201, first.json())
        assert again.headers["idempotency-replayed"] == "true"
        api.headers.update(bearer(subject="somebody else"))
        other = await created(api, "/v1/models", {"name": "a"}, key="k")
        assert kind_of(other) == (409, "already-exists")
