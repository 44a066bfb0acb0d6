"""Publish the parts that a job has, or finish the publication of an earlier run."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime

from flows.bottleneck import Bound
from flows.planning import JobPlan, lineage_of
from flows.profile import merge_profiles
from flows.shards.commit import Adopted, Committed
from flows.shards.manifest import Manifest
from flows.shards.publish import finish_publication, publish
from inference.jobs import BatchJob


def publish_job(
    job: BatchJob,
    plan: JobPlan,
    scored: Sequence[Committed | Adopted],
    *,
    timings: Mapping[str, float],
    now: datetime,
    threads: int,
    bound: Bound | None = None,
) -> Manifest:
    """Return the manifest that counts. Blocks; safe to repeat. Raises as `publish` does.

    `scored` is what this run did; with `plan.committed` it is every part. `timings` are the
    seconds of its phases and stages, `bound` is the stage that bounded it.
    """
    if plan.claim.published is not None:
        finish_publication(plan.output, plan.claim.published)
        return plan.claim.published
    records = [*plan.committed.values(), *(done.record for done in scored)]
    # In the plan's order, whoever was quickest: sums of floating-point numbers depend on it.
    records.sort(key=lambda record: record.provenance.shard)
    merged = merge_profiles(record.provenance.outputs for record in records)
    try:
        return publish(
            plan.output,
            plan.fingerprint,
            plan.shards,
            plan.claim,
            replace=job.replace,
            lineage=lineage_of(job) | {"bounded_by": asdict(bound) if bound else None},
            outputs={name: profile.to_json() for name, profile in merged.items()},
            timings=timings,
            now=now,
            threads=threads,
        )
    except BaseException:
        plan.output.clear_scratch()
        raise
