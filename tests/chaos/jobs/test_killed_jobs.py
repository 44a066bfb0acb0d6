"""Kill jobs' processes, Triton and the S3 server again and again: every row is there once."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from cli.stack.prefect_server import LocalPrefect
from cli.stack.triton import LocalTriton
from tests.chaos.jobs.front import S3Front
from tests.chaos.jobs.killing import Siege, Toll
from tests.chaos.jobs.lake import write_lake
from tests.chaos.jobs.runner import JobRunner
from tests.chaos.jobs.site import Site
from tests.chaos.jobs.witness import MODEL, Witness
from tests.chaos.seeds import Chaos
from tests.flows.workplace import PLATFORM_MARKS, S3Workplace, Workplace
from tests.servers.s3 import S3Endpoint

pytestmark = [*PLATFORM_MARKS, pytest.mark.chaos]

SHARD_ROWS, IN_FLIGHT = 2000, 2


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


def besiege(site: Site, chaos: Chaos, kills: int) -> Toll:
    """Run jobs under fire until so many kills have hit."""
    chance = chaos.random()
    total = Toll()
    while total.kills.total() < kills:
        left = kills - total.kills.total()
        victims = [
            chance.choice(("job", "job", *site.victims)) for _ in range(chance.randint(2, 6))
        ]
        siege = Siege(
            site,
            f"scores-{total.jobs}",
            chance=chance,
            shard_rows=SHARD_ROWS,
            in_flight=IN_FLIGHT,
        )
        siege.run(victims[:left])
        total.add(siege.toll)
    return total


@pytest.mark.parametrize("site", ["local"], indirect=True)
def test_in_a_folder(site: Site, chaos: Chaos) -> None:
    """SIGKILL of the job and of Triton, at seeded moments and at fail-points."""
    toll = besiege(site, chaos, chaos.count(60, sample=1))
    assert toll.stale == 0
    chaos.tell(str(toll))


@pytest.mark.parametrize("site", ["s3"], indirect=True)
def test_in_a_bucket(site: Site, chaos: Chaos) -> None:
    """SIGKILL of the S3 server's front as well."""
    toll = besiege(site, chaos, chaos.count(60, sample=2))
    assert toll.stale == 0
    chaos.tell(str(toll))


@pytest.mark.parametrize("site", ["careless"], indirect=True)
def test_in_a_bucket_that_ignores_conditions(site: Site, chaos: Chaos) -> None:
    """The rows are right here too; what a manifest says of a part may be of an earlier copy."""
    chaos.tell(str(besiege(site, chaos, chaos.count(30, sample=1))))
