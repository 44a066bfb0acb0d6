"""Pools over HTTP: created once, deleted when they are empty."""

from pathlib import Path

from api.models.examples import DRAFT
from registry.fleet import Fleet
from registry.settings import RegistrySettings
from registry.store import open_store
from tests.api.calls import churn, created, deleted, kind_of, patched
from tests.api.conftest import OpenApi

NOBODY = "127.0.0.1:9"


async def test_a_pools_life(open_api: OpenApi) -> None:
    """Its servers and what they shall serve keep it from being deleted."""
    async with open_api(NOBODY) as api:
        made = await created(api, "/v1/pools", {"name": "night"})
        assert (made.status_code, made.headers["location"]) == (201, "/v1/pools/night")
        assert kind_of(await created(api, "/v1/pools", {"name": "night"})) == (
            409,
            "already-exists",
        )
        tag = made.headers["etag"]
        known = await api.get("/v1/pools/night", headers={"If-None-Match": tag})
        assert known.status_code == 304
        changed = await patched(api, "/v1/pools/night", {"description": "A100s"}, tag)
        assert changed.json()["description"] == "A100s"
        assert kind_of(await patched(api, "/v1/pools/night", {}, tag)) == (412, "changed-meanwhile")
        assert (await patched(api, "/v1/pools/night", {})).json()["description"] == "A100s"
        await churn(api)
        placed = await api.put("/v1/pools/night/versions/churn/1")
        assert placed.json() == {
            "pool": "night",
            "model": "churn",
            "version": 1,
            "served_name": DRAFT["served_name"],
            "done": False,
            "outcomes": [],
        }
        listed = (await api.get("/v1/pools/night/versions")).json()["items"]
        assert [(each["model"], each["version"]) for each in listed] == [("churn", 1)]
        refused = await deleted(api, "/v1/pools/night")
        assert kind_of(refused) == (409, "in-use")
        assert refused.json()["referents"] == [{"kind": "version", "name": "churn@1"}]
        withdrawn = await api.delete("/v1/pools/night/versions/churn/1")
        assert (withdrawn.json()["done"], withdrawn.json()["outcomes"]) == (True, [])
        assert (await deleted(api, "/v1/pools/night")).status_code == 204
        names = [pool["name"] for pool in (await api.get("/v1/pools")).json()["items"]]
        assert names == ["default"]
        told = (await api.get("/v1/pools/night/events")).json()["items"]
        assert [event["kind"] for event in told][-1] == "pool.created"
        assert len(told) == 5


async def test_a_server_of_another_process_is_asked_at_once(
    open_api: OpenApi, database: Path
) -> None:
    """Not only after this process's next look at the registry: what it did not do is told."""
    async with open_api("127.0.0.1:10", check_timeout_s=0.2) as api:
        await churn(api)
        store = open_store(RegistrySettings(database_url=f"sqlite:///{database}"))
        Fleet(store).create_pool("night")
        Fleet(store).add_server("night", NOBODY)
        store.close()
        for call in (api.put, api.delete):
            told = (await call("/v1/pools/night/versions/churn/1")).json()
            outcomes = [(each["server"], each["done"]) for each in told["outcomes"]]
            assert (told["done"], outcomes) == (False, [(NOBODY, False)])


async def test_the_settings_servers_are_the_default_pool(open_api: OpenApi) -> None:
    """Those of earlier settings go; those that somebody registered would stay."""
    async with open_api("127.0.0.1:9", "grpc://127.0.0.1:10") as api:
        found = (await api.get("/v1/pools/default/servers")).json()["items"]
        assert [server["url"] for server in found] == ["127.0.0.1:10", "127.0.0.1:9"]
    async with open_api("127.0.0.1:10", "127.0.0.1:11") as api:
        found = (await api.get("/v1/pools/default/servers?removed=true")).json()["items"]
        assert [(server["url"], server["state"]) for server in found] == [
            ("127.0.0.1:10", "active"),
            ("127.0.0.1:11", "active"),
            ("127.0.0.1:9", "removed"),
        ]
