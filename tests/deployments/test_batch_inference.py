"""The deployment: a form of the job contract, which a worker on any folder turns into scores."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterName

from cli.stack.triton import LocalTriton
from inference.jobs import BatchJob
from registry.catalog import Catalog
from registry.domain import Signature, TensorSpec
from registry.settings import RegistrySettings
from registry.store import open_store
from tests.conftest import ROOT
from tests.deployments.conftest import PrefectCommand

pytestmark = [
    pytest.mark.prefect,
    pytest.mark.triton,
    pytest.mark.slow,
    pytest.mark.timeout(900),  # servers, a worker and its run start for the first test
]

FEATURES = np.random.default_rng(3).normal(size=(500, 64)).astype(np.float32)
SCORES = FEATURES @ np.linspace(-1, 1, 64, dtype=np.float32)


def test_the_form_describes_every_field(deployed: str) -> None:
    """Prefect keeps the job contract as the parameters' schema, and no folder of this machine."""
    with get_client(sync_client=True) as client:
        deployment = client.read_deployment_by_name(deployed)
    schema = deployment.parameter_openapi_schema
    assert schema is not None
    job = schema["definitions"]["BatchJob"]
    described = {name: field["description"] for name, field in job["properties"].items()}
    assert described == {name: field.description for name, field in BatchJob.model_fields.items()}
    assert (schema["required"], job["required"]) == (["job"], ["model", "input", "output"])
    assert deployment.enforce_parameter_schema
    assert str(ROOT) not in deployment.model_dump_json()


def test_a_job_with_a_wrong_field_is_refused(
    deployed: str, prefect_command: PrefectCommand
) -> None:
    """The command line says which field, and no run is made."""
    job = '{"model": "a@b", "input": "in", "output": "out", "max_quarantined_fraction": 2}'
    refused = prefect_command("deployment", "run", deployed, "--param", f"job={job}")
    assert refused.returncode == 1
    assert "2 is greater than the maximum of 1" in refused.stdout + refused.stderr


def test_a_worker_scores_the_dataset(
    deployed: str, worker_folder: Path, triton: LocalTriton, prefect_command: PrefectCommand
) -> None:
    """Paths are relative to the worker's folder; every published row has the model's score."""
    _register_linear(worker_folder)
    _write_dataset(worker_folder / "lake")
    job = {"model": "sums@champion", "input": "lake", "output": "scores"}
    environment = {"NIGHTSHIFT_TRITON_URLS": triton.grpc_url}
    run = prefect_command(
        *("deployment", "run", deployed, "--watch", "--param", f"job={json.dumps(job)}"),
        *("--job-variable", f"env={json.dumps(environment)}"),
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert (worker_folder / "scores" / "_SUCCESS").exists()
    assert {
        "scoring with sums@1 (sha256:" + "0" * 64 + ")",
        "planned 500 rows in 3 shards, 0 of them committed before",
        f"published 500 rows at {worker_folder}/scores, 0 in the quarantine",
    } <= _logged()
    rows = pq.read_table(worker_folder / "scores").sort_by("id")
    assert rows["id"].to_pylist() == list(range(len(SCORES)))
    np.testing.assert_allclose(rows["score"].to_numpy(), SCORES, rtol=1e-4, atol=1e-5)


def _logged() -> set[str]:
    """What the run's page shows of its log."""
    with get_client(sync_client=True) as client:
        (run,) = client.read_flow_runs(
            flow_run_filter=FlowRunFilter(name=FlowRunFilterName(any_=["score sums@champion"]))
        )
        response = client.request(
            "POST", "/logs/filter", json={"logs": {"flow_run_id": {"any_": [str(run.id)]}}}
        )
    return {line["message"] for line in response.json()}


def _register_linear(folder: Path) -> None:
    """Register the test model where the worker's runs look for it by default."""
    default = RegistrySettings.model_fields["database_url"].default.removeprefix("sqlite:///")
    store = open_store(RegistrySettings(database_url=f"sqlite:///{folder / default}"))
    try:
        catalog = Catalog(store)
        version = catalog.register(
            "sums",
            signature=Signature(
                inputs=(TensorSpec("features", "FP32", (-1, 64)),),
                outputs=(TensorSpec("score", "FP32", (-1, 1)),),
                max_batch_size=0,
            ),
            digest="sha256:" + "0" * 64,
            served_name="linear",
            served_version="1",
        )
        catalog.set_alias("sums", "champion", version.version)
    finally:
        store.close()


def _write_dataset(folder: Path) -> None:
    folder.mkdir()
    for start in range(0, len(FEATURES), 200):
        rows = slice(start, start + 200)
        values = pa.array(FEATURES[rows].ravel())
        columns = {
            "id": np.arange(len(FEATURES))[rows],
            "features": pa.FixedSizeListArray.from_arrays(values, 64),
        }
        pq.write_table(pa.table(columns), folder / f"rows-{start}.parquet")
