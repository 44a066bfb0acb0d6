"""What is aliased, routed, placed or used by an unfinished job is not deleted, over HTTP."""

from typing import Any

from httpx import AsyncClient

from api.models.examples import DRAFT as VERSION
from tests.api.calls import created, deleted, kind_of
from tests.api.jobs.conftest import OpenJobs, submit

MODEL = "/v1/models/flights"
CHAMPION = f"{MODEL}/aliases/champion"
NEW = {"If-None-Match": "*"}


async def test_whatever_points_to_a_version_keeps_it(open_jobs: OpenJobs) -> None:
    """One version for each way of pointing; the model is kept by all of them at once."""
    async with open_jobs() as api:
        await _versions(api, 6)
        split = {
            "canaries": [{"version": 3, "percent": 1}],
            "shadow": {"version": 4, "percent": 1},
        }
        await _done(api, "PUT", f"{MODEL}/aliases/old", {"version": 2, "from_version": 0})
        await _done(api, "PUT", f"{CHAMPION}", {"version": 2, "from_version": 1})
        await _done(api, "PUT", f"{CHAMPION}/route", split, NEW)
        pinned = (await submit(api, model="flights@5")).json()
        assert pinned["state"] == "queued"
        await _done(api, "PUT", "/v1/pools/default/versions/flights/6")
        route, job = ("route", "flights@champion"), ("job", pinned["id"])
        pool = ("pool", "default")
        aliases = [("alias", "champion"), ("alias", "old")]
        assert [await _referents(api, f"{MODEL}/versions/{n}") for n in range(2, 7)] == [
            aliases,
            [route],
            [route],
            [job],
            [pool],
        ]
        assert (await deleted(api, f"{MODEL}/versions/1")).status_code == 204
        assert set(await _referents(api, MODEL)) == {*aliases, route, job, pool}
        assert await _referents(api, CHAMPION) == [route]


async def test_what_has_ended_keeps_nothing(open_jobs: OpenJobs) -> None:
    """A job that followed an alias needs its version until it is finished, wherever that moves."""
    async with open_jobs() as api:
        await _versions(api, 3)
        job = (await submit(api)).json()["id"]
        await _done(api, "PUT", CHAMPION, {"version": 2, "from_version": 1})
        assert await _referents(api, f"{MODEL}/versions/1") == [("job", job)]
        await _done(api, "POST", f"/v1/jobs/{job}/cancel")
        assert (await deleted(api, f"{MODEL}/versions/1")).status_code == 204
        await _done(api, "PUT", f"{CHAMPION}/route", {"shadow": {"version": 3, "percent": 1}}, NEW)
        assert await _referents(api, f"{MODEL}/versions/3") == [("route", "flights@champion")]
        for path in (f"{CHAMPION}/route", f"{MODEL}/versions/3", CHAMPION, MODEL):
            assert (await deleted(api, path)).status_code == 204, path


async def _versions(api: AsyncClient, last: int) -> None:
    """Register versions like the first up to the last."""
    seen = (await api.get(f"{MODEL}/versions/1")).json()
    for number in range(2, last + 1):
        draft = VERSION | {
            "digest": f"sha256:{number:064x}",
            "signature": seen["signature"],
            "columns": seen["columns"],
        }
        made = await created(api, f"{MODEL}/versions", draft)
        assert (made.status_code, made.json()["version"]) == (201, number), made.text


async def _done(
    api: AsyncClient,
    method: str,
    path: str,
    body: dict[str, Any] | None = None,
    headers: dict[str, str] | None = None,
) -> None:
    answer = await api.request(method, path, json=body, headers=headers)
    assert answer.is_success, answer.text


async def _referents(api: AsyncClient, path: str) -> list[tuple[str, str]]:
    refused = await deleted(api, path)
    assert kind_of(refused) == (409, "in-use")
    return [(each["kind"], each["name"]) for each in refused.json()["referents"]]
