"""Versions over HTTP: numbered, immutable, approved by somebody else."""

import pytest

from api.models.examples import DRAFT
from cli.stack.triton import LocalTriton
from tests.api.calls import churn, created, deleted, kind_of
from tests.api.conftest import OpenApi
from tests.api.tokens import bearer

NOBODY = "127.0.0.1:9"
VERSIONS = "/v1/models/churn/versions"


async def test_a_versions_life(open_api: OpenApi) -> None:
    """Numbers are counted and never given again; the same content is the same version."""
    async with open_api(NOBODY) as api:
        await churn(api, versions=3)
        again = await created(api, VERSIONS, DRAFT | {"digest": f"sha256:{2:064x}"})
        assert again.json()["version"] == 2
        assert (await deleted(api, f"{VERSIONS}/3")).status_code == 204
        fourth = await created(api, VERSIONS, DRAFT)
        assert fourth.json()["version"] == 4
        assert fourth.headers["location"] == f"{VERSIONS}/4"
        assert (await api.get(f"{VERSIONS}/4")).json() == fourth.json()
        assert fourth.json() == {
            **DRAFT,
            "model": "churn",
            "version": 4,
            "artifact": None,
            "created_at": fourth.json()["created_at"],
            "created_by": "tester",
        }
        assert kind_of(await api.get(f"{VERSIONS}/3")) == (404, "unknown-version")
        listed = (await api.get(VERSIONS, params={"page_size": 2})).json()
        assert [version["version"] for version in listed["items"]] == [4, 2]
        tagged = (await api.get(VERSIONS, params={"tag": "number:1"})).json()
        assert [version["version"] for version in tagged["items"]] == [1]


@pytest.mark.parametrize(
    "slip",
    [
        {"columns": {"Y": ["age"]}},
        {"columns": {"X": ["age", "spend"]}},
        {"signature": {**DRAFT["signature"], "inputs": DRAFT["signature"]["inputs"] * 2}},
        {"signature": {**DRAFT["signature"], "outputs": []}},
        {"digest": "md5:0f"},
        {"served_version": 0},
        {"served_name": "../churn"},
        {"tags": {"a/b": ""}},
        {"description": "a\x00b"},
        {"shape": [-1]},
    ],
)
async def test_what_cannot_be_a_version_is_refused(
    open_api: OpenApi, slip: dict[str, object]
) -> None:
    """Before anything is written."""
    async with open_api(NOBODY) as api:
        assert kind_of(await created(api, VERSIONS, DRAFT | slip)) == (422, "invalid-request")
        assert kind_of(await api.get("/v1/models/churn")) == (404, "unknown-model")


async def test_nobody_approves_their_own(open_api: OpenApi) -> None:
    """Somebody else's word opens the gate of a protected alias, and is kept."""
    async with open_api(NOBODY) as api:
        await churn(api)
        gate = "/v1/models/churn/aliases/champion/protection"
        assert (await api.put(gate, headers={"If-Match": "*"})).status_code == 200
        move = {"version": 1, "from_version": 0}
        shut = await api.put("/v1/models/churn/aliases/champion", json=move)
        assert kind_of(shut) == (409, "approval-missing")
        own = await created(api, f"{VERSIONS}/1/approvals", {})
        assert kind_of(own) == (409, "approval-refused")
        other = bearer(subject="grace")
        path = f"{VERSIONS}/1/approvals"
        said = await api.post(
            path, json={"why": "it holds"}, headers={**other, "Idempotency-Key": "1"}
        )
        assert said.status_code == 201
        assert (await api.get(path)).json() == {"items": [said.json()]}
        assert (said.json()["by"], said.json()["why"]) == ("grace", "it holds")
        assert (await api.put("/v1/models/churn/aliases/champion", json=move)).status_code == 200
        lacking = bearer({"models:read", "models:write"})
        again = {"version": 1, "from_version": 1}
        no = await api.put("/v1/models/churn/aliases/champion", json=again, headers=lacking)
        assert no.status_code == 403
        assert no.json()["missing_scopes"] == ["models:approve"]


@pytest.mark.triton
async def test_the_servers_say_what_a_version_takes(open_api: OpenApi, triton: LocalTriton) -> None:
    """Without a signature they are asked; one that they contradict is refused."""
    async with open_api(triton.grpc_url) as api:
        draft = {"served_name": "linear", "columns": {}}
        made = await created(api, "/v1/models/linear/versions", draft)
        told = made.json()
        assert made.status_code == 201
        assert told["digest"].startswith("metadata-sha256:")
        assert [spec["datatype"] for spec in told["signature"]["inputs"]] == ["FP32"]
        wrong = draft | {"signature": DRAFT["signature"]}
        refused = await created(api, "/v1/models/linear/versions", wrong)
        assert kind_of(refused) == (409, "servers-cannot-say")
        unknown = await created(api, "/v1/models/x/versions", {"served_name": "nowhere"})
        assert kind_of(unknown) == (409, "servers-cannot-say")
        nobody = await created(api, "/v1/models/x/versions", draft | {"pool": "nobody"})
        assert kind_of(nobody) == (404, "unknown-pool")


async def test_servers_that_are_away_cannot_say(open_api: OpenApi) -> None:
    """The refusal names them."""
    async with open_api(NOBODY) as api:
        refused = await created(api, VERSIONS, {"served_name": "churn"})
        assert kind_of(refused) == (409, "servers-cannot-say")
        assert NOBODY in refused.json()["detail"]
