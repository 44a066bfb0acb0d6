"""Check that a slice's run comes to the plan that the job's own run made."""

from dataclasses import replace
from pathlib import Path

import pytest

from flows.kept_plan import keep_plan, restore_plan
from flows.planning import JobPlan, plan_job
from flows.shards.errors import BadUri
from flows.shards.object_store import open_store
from flows.shards.plan_file import KeptPlan, PlanUnusable, read_plan
from flows.shards.settings import S3Settings
from inference.jobs import BatchJob
from tests.flows.bench import DOUBLING, FILES, NOW, numbers

S3 = S3Settings()


def planned(folder: Path, source: str = "lake") -> tuple[JobPlan, KeptPlan]:
    """Plan a job of two partitions, keep the plan, read it back."""
    for month in (1, 2):
        numbers(folder / "lake" / f"month={month}" / "a.parquet", [1.0] * 130)
    job = BatchJob(model="faulty@1", input=str(folder / source), output=str(folder / "out"))
    plan = plan_job(job, DOUBLING, files=FILES, s3=S3, now=NOW)
    keep_plan(plan, job, DOUBLING)
    return plan, read_plan(plan.output, plan.fingerprint.digest)


@pytest.mark.parametrize("source", ["lake", "lake/month=1/a.parquet"])
def test_the_plan_is_the_same(tmp_path: Path, source: str) -> None:
    """Shards with partitions, columns, fingerprint: of a folder as of one file."""
    plan, kept = planned(tmp_path, source)
    output = open_store(plan.output.uri, S3)
    again = restore_plan(kept, DOUBLING, output, s3=S3, now=NOW)
    assert (again.shards, again.mapping, again.fingerprint, again.claim.cut) == (
        plan.shards,
        plan.mapping,
        plan.fingerprint,
        plan.claim.cut,
    )
    assert again.dataset.store.uri == plan.dataset.store.uri
    assert again.dataset.partition_schema == plan.dataset.partition_schema


def test_another_version_is_refused(tmp_path: Path) -> None:
    """As is anything else that would make another output: the fingerprint tells."""
    plan, kept = planned(tmp_path)
    other = replace(DOUBLING, digest="sha256:other")
    with pytest.raises(PlanUnusable, match="has another fingerprint than the job"):
        restore_plan(kept, other, plan.output, s3=S3, now=NOW)


def test_other_files_are_refused(tmp_path: Path) -> None:
    """A plan that somebody changed does not have other rows scored."""
    plan, kept = planned(tmp_path)
    fewer = replace(kept, files=kept.files[:1])
    with pytest.raises(PlanUnusable, match="remove it and run the job again"):
        restore_plan(fewer, DOUBLING, plan.output, s3=S3, now=NOW)


def test_a_plan_leads_nowhere_else(tmp_path: Path) -> None:
    """Its files lie where the fingerprint says, and in a store that is configured."""
    plan, kept = planned(tmp_path)
    elsewhere = replace(kept, head=kept.head.model_copy(update={"input_root": "/etc"}))
    with pytest.raises(PlanUnusable, match="its files are not those of"):
        restore_plan(elsewhere, DOUBLING, plan.output, s3=S3, now=NOW)
    narrow = S3Settings.model_validate({"stores": {"other": {"prefixes": ["/srv/other"]}}})
    with pytest.raises(BadUri):
        restore_plan(kept, DOUBLING, plan.output, s3=narrow, now=NOW)
