"""Bring a job's plan to the runs that score its slices, without its being made again."""

from datetime import datetime

from flows.planning import JobPlan, identify, map_columns
from flows.shards.admission import admitted
from flows.shards.claim import Claim
from flows.shards.dataset import Dataset
from flows.shards.object_store import ObjectStore, open_store
from flows.shards.plan_file import KeptPlan, PlanHead, PlanUnusable, plan_key, write_plan
from flows.shards.planner import plan as cut_shards
from flows.shards.settings import S3Settings
from inference.jobs import BatchJob
from registry.domain import ModelVersion


def keep_plan(plan: JobPlan, job: BatchJob, model: ModelVersion) -> None:
    """Write the plan beside the output, unless an earlier run of the job has. Blocks."""
    head = PlanHead(
        fingerprint=plan.fingerprint.digest,
        job=job.model_dump(mode="json"),
        model=str(model),
        input_uri=plan.dataset.uri,
        input_root=plan.dataset.store.uri,
        cut=plan.claim.cut,
        replaced=plan.fingerprint.replaced,
    )
    files = plan.dataset.input_files(plan.mapping.read_columns)
    schemas = plan.dataset.schema, plan.dataset.partition_schema
    write_plan(plan.output, KeptPlan(head, files, *schemas))


def restore_plan(
    kept: KeptPlan, model: ModelVersion, output: ObjectStore, *, s3: S3Settings, now: datetime
) -> JobPlan:
    """Work out the plan of which the files are known, and check that it is the job's.

    Nothing is listed and no footer is read. Raises `PlanUnusable` when what comes out has another
    fingerprint, `BadUri` for a dataset outside of the configured stores, and a `MappingError`.
    """
    head = kept.head
    job = BatchJob.model_validate(head.job)
    if head.input_root not in (head.input_uri, head.input_uri.rpartition("/")[0] or "/"):
        raise PlanUnusable(_uri(output, head), f"its files are not those of {head.input_uri}")
    # The address is what is configured as a store's; one file lies below the folder around it.
    store = open_store(head.input_root, admitted(head.input_uri, s3), inputs=True)
    dataset = Dataset(head.input_uri, store, (), kept.schema, kept.partition_schema)
    mapping = map_columns(job, model, dataset)
    fingerprint = identify(job, model, dataset, mapping, kept.files).replacing(head.replaced)
    if fingerprint.digest != head.fingerprint:
        raise PlanUnusable(_uri(output, head), "what it says has another fingerprint than the job")
    cut = head.cut
    shards = cut_shards(kept.files, shard_rows=cut.shard_rows, shard_bytes=cut.shard_bytes)
    claim = Claim(fingerprint, cut, now, published=None, conditional_writes=True)
    return JobPlan(dataset, output, mapping, fingerprint, claim, shards, committed={})


def _uri(output: ObjectStore, head: PlanHead) -> str:
    return f"{output.uri}/{plan_key(head.fingerprint)}"
