"""Jobs over HTTP: taken, repeated, refused, listed."""

import asyncio
import socket
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.api import tokens
from tests.api.calls import kind_of
from tests.api.jobs.conftest import DRAFT, OpenJobs, submit
from tests.inference.forged_addresses import TRAVERSALS, ssrf


async def test_a_job_is_taken_and_waits(open_jobs: OpenJobs) -> None:
    """The answer has all of it, and where it is told of; Prefect need not be there."""
    async with open_jobs() as api:
        answer = await submit(api)
        job = answer.json()
        assert (answer.status_code, answer.headers["Location"]) == (201, f"/v1/jobs/{job['id']}")
        assert (await api.get(answer.headers["Location"])).json() == job
        events = (await api.get(job["links"]["events"])).json()
    here = f"/v1/jobs/{job['id']}"
    told = {name: job[name] for name in ("state", "model", "version", "job", "input", "output")}
    assert told == {
        "state": "queued",
        "model": "flights",
        "version": 1,
        "job": DRAFT,
        "input": "s3://lake/in/",
        "output": "s3://lake/out",
    }
    assert (job["rows"], job["shards"]) == (
        {"total": 0, "done": 0, "quarantined": 0},
        {"total": 0, "done": 0},
    )
    assert job["links"] == {
        "self": here,
        "events": f"{here}/events",
        "live": f"{here}/live",
        "prefect_run": None,
        "manifest": None,
        "report": None,
        "quarantine": None,
    }
    (event,) = events["items"]
    assert (event["kind"], event["state"], event["by"]) == ("job.submitted", "queued", "tester")


async def test_a_repetition_is_the_same_job(open_jobs: OpenJobs) -> None:
    """The same key with another request is refused; none at all as well."""
    async with open_jobs() as api:
        first, second = await submit(api), await submit(api)
        other = await submit(api, output="s3://lake/other")
        without = await api.post("/v1/jobs", json=DRAFT)
    assert first.json() == second.json()
    assert [a.headers.get("Idempotency-Replayed") for a in (first, second)] == [None, "true"]
    assert (second.status_code, kind_of(other)) == (201, (422, "idempotency-key-reused"))
    assert kind_of(without) == (400, "idempotency-key-missing")


async def test_an_output_has_one_unfinished_job(open_jobs: OpenJobs) -> None:
    """Whatever way it is written; the problem names the other job."""
    async with open_jobs() as api:
        first = await submit(api)
        for output in ("s3://lake/out", "s3://lake/out/", "s3://lake/out/below"):
            taken = await submit(api, "other", output=output)
            assert kind_of(taken) == (409, "output-taken")
            assert taken.json()["job"] == first.json()["id"]


async def test_a_full_queue_says_when_to_come_again(open_jobs: OpenJobs) -> None:
    """429 with Retry-After; a job that ends makes room."""
    async with open_jobs(max_unfinished=1) as api:
        first = (await submit(api)).json()
        full = await submit(api, "b", output="s3://lake/b")
        assert (kind_of(full), full.headers["Retry-After"]) == ((429, "queue-full"), "10")
        await api.post(f"/v1/jobs/{first['id']}/cancel")
        assert (await submit(api, "b", output="s3://lake/b")).status_code == 201


@pytest.mark.parametrize(
    ("changed", "kind"),
    [
        ({"model": "nothing@champion"}, (404, "unknown-model")),
        ({"model": "flights@night"}, (404, "unknown-alias")),
        ({"model": "flights@7"}, (404, "unknown-version")),
        ({"model": "flights"}, (422, "invalid-request")),
        ({"keep": 7}, (422, "invalid-request")),
        ({"nonsense": True}, (422, "invalid-request")),
        ({"rename": {"__prefect_kind": "jinja"}}, (422, "invalid-request")),
        ({"columns": {"__prefect_kind": ["x"]}}, (422, "invalid-request")),
        ({"input": "/etc/passwd"}, (422, "outside-the-stores")),
        ({"output": "s3://elsewhere/out"}, (422, "outside-the-stores")),
    ],
)
async def test_what_cannot_run_is_refused(
    open_jobs: OpenJobs, changed: dict[str, Any], kind: tuple[int, str]
) -> None:
    """At once, and nothing is kept: the same key may be tried again."""
    async with open_jobs() as api:
        assert kind_of(await submit(api, **changed)) == kind
        assert (await api.get("/v1/jobs")).json()["items"] == []
        assert (await submit(api)).status_code == 201


async def test_no_forged_address_is_taken(open_jobs: OpenJobs) -> None:
    """As dataset or output; nothing on this machine hears of it."""
    with closing(socket.create_server(("127.0.0.1", 0))) as canary:
        canary.setblocking(False)
        host, port = canary.getsockname()
        async with open_jobs() as api:
            # This API's store holds all of the bucket, so those that stay in it are no traversals.
            out = [uri for uri in TRAVERSALS if not uri.startswith("s3://lake")]
            for uri in (*ssrf(f"{host}:{port}"), *out):
                for place in ("input", "output"):
                    refused = await submit(api, **{place: uri})
                    assert refused.status_code == 422, uri
            assert (await api.get("/v1/jobs")).json()["items"] == []
        with pytest.raises(BlockingIOError):
            canary.accept()


async def test_without_prefect_no_job_is_taken(open_jobs: OpenJobs) -> None:
    """Which a person can mend; what there is can be looked at."""
    async with open_jobs(prefect_api_url=None) as api:
        refused = await submit(api)
        assert (kind_of(refused), "PREFECT_API_URL" in refused.text) == ((503, "no-prefect"), True)
        assert (await api.get("/v1/jobs")).json() == {"items": [], "next_cursor": None}


async def test_jobs_are_listed_in_pages(open_jobs: OpenJobs) -> None:
    """Newest first, by state, model and who submitted them."""
    async with open_jobs() as api:
        made = [
            (await submit(api, f"k{n}", output=f"s3://lake/{n}")).json()["id"] for n in range(3)
        ]
        await api.post(f"/v1/jobs/{made[0]}/cancel")
        first = (await api.get("/v1/jobs", params={"page_size": 2})).json()
        cursor = {"page_size": 2, "cursor": first["next_cursor"]}
        second = (await api.get("/v1/jobs", params=cursor)).json()
        assert [job["id"] for job in first["items"] + second["items"]] == made[::-1]
        for query, found in (
            ({"state": "cancelled"}, made[:1]),
            ({"state": ["queued", "cancelled"], "by": "tester"}, made[::-1]),
            ({"by": "nobody"}, []),
            ({"model": "flights"}, made[::-1]),
            ({"model": "other"}, []),
        ):
            items = (await api.get("/v1/jobs", params=query)).json()["items"]
            assert [job["id"] for job in items] == found
        bad = await api.get("/v1/jobs", params={**cursor, "state": "queued"})
        assert kind_of(bad) == (400, "bad-cursor")


async def test_a_version_in_use_stays(open_jobs: OpenJobs) -> None:
    """Deleting what an unfinished job scores with is refused, with the job's name."""
    async with open_jobs() as api:
        job = (await submit(api, model="flights@1")).json()
        await api.delete("/v1/models/flights/aliases/champion", headers={"If-Match": "*"})
        path = "/v1/models/flights/versions/1"
        refused = await api.delete(path, headers={"If-Match": "*"})
        assert kind_of(refused) == (409, "in-use")
        assert {"kind": "job", "name": job["id"]} in refused.json()["referents"]
        await api.post(f"/v1/jobs/{job['id']}/cancel")
        assert (await api.delete(path, headers={"If-Match": "*"})).status_code == 204


async def test_who_finds_no_room_is_told_to_come_again(open_jobs: OpenJobs, database: Path) -> None:
    """Rather than wait behind others: each answer comes soon."""
    async with open_jobs(max_taking=1) as api:
        with closing(sqlite3.connect(database)) as slow:
            slow.execute("BEGIN IMMEDIATE")
            at_once = [
                asyncio.create_task(submit(api, name, output=f"s3://lake/{name}")) for name in "ab"
            ]
            done, left = await asyncio.wait(at_once, return_when=asyncio.FIRST_COMPLETED)
            reader = {**tokens.bearer(["jobs:read"]), "Idempotency-Key": "c"}
            forbidden = await api.post("/v1/jobs", json=DRAFT, headers=reader)
            slow.rollback()
        assert forbidden.status_code == 403
        refused, taken = await done.pop(), await left.pop()
        assert (kind_of(refused), refused.headers["Retry-After"]) == ((429, "queue-full"), "1")
        assert taken.status_code == 201
        assert (await submit(api, "c", output="s3://lake/c")).status_code == 201


async def test_who_finds_room_waits_for_a_thread(open_jobs: OpenJobs) -> None:
    """As many as may wait are taken, one after the other."""
    async with open_jobs(max_taking=4, write_at_once=1) as api:
        at_once = (submit(api, name, output=f"s3://lake/{name}") for name in "abcd")
        assert {answer.status_code for answer in await asyncio.gather(*at_once)} == {201}
