"""The whole platform: started, killed, started again, stopped."""

import io
import signal
import stat
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cli.stack.process import port_is_free
from cli.up.identity import await_end, marked
from flows.shards.object_store import ObjectStore, open_store
from flows.shards.settings import S3Settings
from tests.cli.stack.onnx_files import linear
from tests.cli.up.platforms import Site, site

pytestmark = [pytest.mark.triton, pytest.mark.prefect, pytest.mark.slow, pytest.mark.timeout(1200)]

Job = dict[str, Any]
Floats = npt.NDArray[np.float32]

_SHARD_ROWS, _SHARDS = 500, 100
_SERVERS = {"API", "Prefect", "S3", "PostgreSQL", "Redis", "Triton 1", "Triton 2", "worker 1"}


@pytest.fixture(scope="module")
def place(triton_env: Path) -> Iterator[Site]:
    """A platform of this module's own, whose jobs are cut into shards small enough to watch."""
    with site(triton_env) as made:
        started = made.up(shard_rows=_SHARD_ROWS, shards_in_flight=1, progress_interval_s=0.1)
        assert started.returncode == 0, started.stdout + started.stderr
        assert "development: anyone on this machine may do everything here" in started.stdout
        yield made


def _states(place: Site) -> tuple[int, dict[str, str]]:
    """Return the exit status of `status` with what it says of each server."""
    shown = place.run("status")
    found = (line.strip() for line in shown.stdout.splitlines())
    cells = [[cell.strip() for cell in line.split("   ") if cell.strip()] for line in found]
    return shown.returncode, {row[0]: row[1] for row in cells if row and row[0] in _SERVERS}


def _kept(place: Site) -> S3Settings:
    told = place.environment()
    prefix = "NIGHTSHIFT_S3_"
    fields = {k.removeprefix(prefix).lower(): v for k, v in told.items() if k.startswith(prefix)}
    return S3Settings.model_validate(fields)


def test_from_a_file_to_the_same_scores_twice(place: Site) -> None:
    """Register, split, infer, submit, see it in Prefect, cancel another, resume: equal results."""
    settings = place.settings()
    rows = _dataset(place)
    for factor in (1.0, 10.0):
        onnx = linear(place.root / f"{factor}.onnx", factor=factor)
        alias = ["--alias", "champion"] if factor == 1.0 else []
        columns = "x=a,b,c,d"
        words = ["models", "register", "small", "--onnx", str(onnx), "--columns", columns, *alias]
        _fine(place.run(*words, told=settings))
    headers = {"Authorization": f"Bearer {settings['NIGHTSHIFT_API_TOKEN']}"}
    with httpx.Client(base_url=place.api_url, headers=headers, timeout=60) as api:
        for version in (1, 2):
            api.put(f"/v1/pools/default/versions/small/{version}").raise_for_status()
        split = {"canaries": [{"version": 2, "percent": 50}]}
        path = "/v1/models/small/aliases/champion/route"
        api.put(path, json=split, headers={"If-None-Match": "*"}).raise_for_status()
        assert _answers(api, rows[0]) == {1: rows[0].sum(), 2: 10 * rows[0].sum()}
        calm = _submitted(api, "calm")
        done = _awaited(api, calm, lambda job: job["ended_at"] is not None)
        assert (done["state"], done["version"], done["rows"]["done"]) == (
            "completed",
            1,
            _SHARD_ROWS * _SHARDS,
        )
        assert _seen_in_prefect(settings, done) == "COMPLETED"

        disturbed = _submitted(api, "disturbed")
        _awaited(api, disturbed, lambda job: job["shards"]["done"] > 0)
        api.post(f"{disturbed}/cancel").raise_for_status()
        stopped = _awaited(api, disturbed, lambda job: job["ended_at"] is not None)
        assert stopped["state"] == "cancelled"
        kept = _parts(place, "disturbed")
        assert 0 < len(kept) < _SHARDS
        api.post(f"{disturbed}/resume").raise_for_status()
        resumed = _awaited(api, disturbed, lambda job: job["state"] == "completed")
        assert (resumed["attempt"], resumed["rows"]["done"]) == (2, _SHARD_ROWS * _SHARDS)

    assert kept.items() <= _parts(place, "disturbed").items()
    expected = dict(enumerate(rows.sum(axis=1).tolist()))
    assert _scores(place, "calm") == expected
    assert _scores(place, "disturbed") == expected


def test_what_was_killed_goes_on_where_it_was(place: Site) -> None:
    """Data, tokens and ports survive a killed `up`; nothing of it does, nor after Ctrl-C."""
    assert _states(place) == (0, dict.fromkeys(_SERVERS, "running"))
    token = place.settings()["NIGHTSHIFT_API_TOKEN"]
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": "1"}
    with httpx.Client(base_url=place.api_url, headers=headers, timeout=60) as api:
        made = api.post("/v1/pools", json={"name": "kept", "description": "by the test"})
        assert made.status_code == 201
        default = [each["url"] for each in api.get("/v1/pools/default/servers").json()["items"]]
    assert open_store("s3://lake", _kept(place)).put_if_absent("kept", b"kept")
    assert len(default) == 2
    private = [place.folder.path / "secrets.json", place.folder.record]
    assert {stat.S_IMODE(file.stat().st_mode) for file in private} == {0o600}

    refused = place.up()
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "already: `nightshift status` shows it" in refused.stderr
    assert refused.stderr.count("\n") == 1

    before = place.processes()
    before["worker 1"].signal(signal.SIGKILL)
    assert await_end([before["worker 1"]], timeout_s=60)
    expected = dict.fromkeys(_SERVERS, "running") | {"worker 1": "ended"}
    assert _states(place) == (1, expected)

    before["supervisor"].signal(signal.SIGKILL)
    assert await_end([before["supervisor"]], timeout_s=60)
    assert place.run("status").returncode == 1
    with place.in_foreground() as again:
        assert [name for name, process in before.items() if process.alive()] == []
        with httpx.Client(base_url=place.api_url, headers=headers, timeout=60) as api:
            assert api.get("/v1/pools/kept").json()["description"] == "by the test"
            found = [each["url"] for each in api.get("/v1/pools/default/servers").json()["items"]]
        assert found == default
        assert open_store("s3://lake", _kept(place)).read("kept") == b"kept"
        again.send_signal(signal.SIGINT)
        told, _ = again.communicate(timeout=600)
    assert (again.returncode, told) == (0, "stopping\nstopped\n")
    assert marked(place.folder.secrets().mark) == []
    assert all(map(port_is_free, place.ports))


def _fine(ended: "subprocess.CompletedProcess[str]") -> None:
    assert ended.returncode == 0, ended.stdout + ended.stderr


def _store(place: Site, name: str = "") -> ObjectStore:
    return open_store(f"s3://lake/{name}".rstrip("/"), _kept(place))


def _dataset(place: Site) -> Floats:
    """Put a dataset with a row group for each shard into the bucket; return its rows."""
    count = _SHARD_ROWS * _SHARDS
    # Whole numbers: their sums are exact, in whatever order they are added.
    rows = np.random.default_rng(7).integers(-99, 99, (count, 4)).astype(np.float32)
    table = pa.table({"id": np.arange(count), **dict(zip("abcd", rows.T, strict=True))})
    file = place.root / "rows.parquet"
    pq.write_table(table, file, row_group_size=_SHARD_ROWS)
    assert _store(place, "rows").put_if_absent("rows.parquet", file)
    return rows


def _answers(api: httpx.Client, row: Floats) -> dict[int, float]:
    """Ask for one row until both versions have answered; return what each said."""
    told = {"name": "x", "datatype": "FP32", "shape": [1, 4], "data": row.tolist()}
    found: dict[int, float] = {}
    for _ in range(60):
        answer = api.post("/v2/models/small@champion/infer", json={"inputs": [told]})
        body = answer.raise_for_status().json()
        found[int(body["model_version"])] = body["outputs"][0]["data"][0]
        if len(found) == 2:
            break
    return found


def _submitted(api: httpx.Client, output: str) -> str:
    """Submit a job; return where it is."""
    job = {"model": "small@champion", "input": "s3://lake/rows/", "output": f"s3://lake/{output}/"}
    answer = api.post("/v1/jobs", json=job, headers={"Idempotency-Key": output})
    return str(answer.raise_for_status().headers["Location"])


def _awaited(api: httpx.Client, path: str, wanted: Callable[[Job], bool]) -> Job:
    """Look at the job until it is as wanted."""
    deadline = time.monotonic() + 400
    while True:
        job: Job = api.get(path).raise_for_status().json()
        if wanted(job):
            return job
        assert time.monotonic() < deadline, job
        time.sleep(0.1)


def _seen_in_prefect(settings: Mapping[str, str], job: Job) -> str:
    """Return what Prefect says of the job's run: it may be told a moment later."""
    run_id = job["links"]["prefect_run"].rpartition("/")[2]
    deadline = time.monotonic() + 120
    while True:
        answer = httpx.get(f"{settings['PREFECT_API_URL']}/flow_runs/{run_id}", timeout=60)
        state = answer.json().get("state", {}).get("type", "busy")
        if state not in ("RUNNING", "busy") or time.monotonic() > deadline:
            return str(state)
        time.sleep(0.2)


def _parts(place: Site, output: str) -> dict[str, str]:
    """Return the parts with their ETags."""
    found = _store(place, output).list()
    return {each.key: each.etag for each in found if not each.key.startswith("_")}


def _scores(place: Site, output: str) -> dict[int, float]:
    store = _store(place, output)
    tables = [pq.read_table(io.BytesIO(store.read(key))) for key in _parts(place, output)]
    scored = pa.concat_tables(tables)
    assert scored.num_rows == _SHARD_ROWS * _SHARDS
    return dict(zip(scored["id"].to_pylist(), scored["y"].to_pylist(), strict=True))
