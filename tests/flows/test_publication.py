"""Check what is left of a publication that fails."""

from pathlib import Path

import pytest

from flows.planning import plan_job
from flows.publication import publish_job
from flows.shards.errors import IncompleteOutput
from flows.shards.settings import S3Settings
from inference.jobs import BatchJob
from tests.flows.bench import DOUBLING, FILES, NOW, numbers


def test_a_publication_that_fails_leaves_no_scratch(tmp_path: Path) -> None:
    """The claim stays for the next run of the job, the folder that parts are built in goes."""
    numbers(tmp_path / "lake/a.parquet", [1.0] * 3)
    job = BatchJob(model=str(DOUBLING), input=str(tmp_path / "lake"), output=str(tmp_path / "out"))
    plan = plan_job(job, DOUBLING, files=FILES, s3=S3Settings(), now=NOW)
    plan.output.scratch_folder()
    with pytest.raises(IncompleteOutput):
        publish_job(job, plan, [], timings={}, now=NOW, threads=4)
    names = [path.name for path in (tmp_path / "out").iterdir()]
    assert names == [f"_job-{plan.fingerprint.short}.json"]
