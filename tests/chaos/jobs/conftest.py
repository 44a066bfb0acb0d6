"""Give tests of whole jobs a Triton that serves the model `witness`, and a site to run at."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from cli.stack.prefect_server import LocalPrefect
from cli.stack.process import free_ports
from cli.stack.triton import LocalTriton, TritonPorts
from tests.chaos.jobs.front import S3Front
from tests.chaos.jobs.lake import write_lake
from tests.chaos.jobs.runner import JobRunner
from tests.chaos.jobs.site import IN_FLIGHT, SHARD_ROWS, Site
from tests.chaos.jobs.witness import MODEL, MODELS, Witness
from tests.flows.workplace import S3Workplace, Workplace
from tests.flows.workplace import careless_s3 as careless_s3
from tests.servers.s3 import S3Endpoint


@pytest.fixture(scope="module")
def witness_of_all(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Witness]:
    """A journal; servers started from here on write to it."""
    with pytest.MonkeyPatch.context() as patch:
        witness = Witness(tmp_path_factory.mktemp("witness"))
        for name, value in witness.environment.items():
            patch.setenv(name, value)
        yield witness


@pytest.fixture
def witness(witness_of_all: Witness) -> Witness:
    """The journal and the orders; at first there are none."""
    witness_of_all.order()
    return witness_of_all


@pytest.fixture(scope="module")
def witnessed(
    witness_of_all: Witness, triton_env: Path, servers_dir: Path
) -> Iterator[LocalTriton]:
    """A Triton that may be killed, and starts again on the same ports."""
    ports = TritonPorts(*free_ports(3))
    with LocalTriton(
        MODELS, triton_env, models=[MODEL], ports=ports, state_dir=servers_dir, grace_s=0.5
    ) as server:
        yield server


@pytest.fixture
def site(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    witnessed: LocalTriton,
    witness: Witness,
    prefect_api: LocalPrefect,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Site]:
    """A site as the parameter says: `local`, `s3`, or `careless`."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("NIGHTSHIFT_S3")]:
        monkeypatch.delenv(name)
    witness.order(pause_s=0.025)
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    bucket, front = None, None
    with ExitStack() as running:
        if request.param == "local":
            workplace = Workplace(tmp_path, monkeypatch.setenv)
        else:
            name = "careless_s3" if request.param == "careless" else "s3_endpoint"
            bucket = request.getfixturevalue(name)
            front = running.enter_context(S3Front(bucket.url, tmp_path))
            reached = S3Endpoint(front.url, bucket.bucket)
            workplace = S3Workplace(tmp_path, monkeypatch.setenv, reached)
        workplace.serve(witnessed.grpc_url)
        workplace.configure(
            database_url=f"sqlite:///{tmp_path / 'registry.db'}",
            shard_rows=SHARD_ROWS,
            microbatch_max_rows=500,
            shards_in_flight=IN_FLIGHT,
            task_retry_delays_s="[0.3,0.6,1,1,2,2]",
            breaker_open_s=0.3,
            probe_interval_s=0.2,
        )
        environment = prefect_api.client_environment() | {"TMPDIR": str(temporary)}
        runner = running.enter_context(JobRunner(environment, tmp_path / "jobs.log"))
        workplace.register(MODEL, MODEL, x=["number", "value"])
        rows = 4 * SHARD_ROWS
        lake = write_lake(tmp_path / "lake", files=3, rows=rows, group_rows=1000, null_every=700)
        workplace.upload()
        expected = lake.expected()
        yield Site(workplace, witnessed, witness, runner, temporary, expected, bucket, front)
