"""Gather what a finished job's report tells."""

import platform
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version

from flows.planning import JobPlan
from flows.profile import merge_profiles
from flows.quarantine_examples import quarantine_reasons
from flows.report import render_report
from flows.report_data import FileLineage, JobReport, StageTime
from flows.shards.commit import Adopted, Committed
from flows.shards.manifest import Manifest
from inference.jobs import BatchJob
from registry.domain import ModelVersion

REPORT_KEY = "_report.html"
"""Beside the manifest. Without the underscore, readers of a folder of Parquet files stumble."""
STAGES = ("read", "encode", "infer", "write", "commit")
"""In the order in which a row passes them."""
_PROGRAMS = ("nightshift", "prefect", "tritonclient", "pyarrow", "numpy")
_WEAK_STORE = (
    "The output's store ignores conditional writes. Every part still holds the right rows, each "
    "once; but a late attempt may have overwritten a part with its own copy of the same rows."
)


def write_report(
    job: BatchJob,
    model: ModelVersion,
    plan: JobPlan,
    manifest: Manifest,
    scored: Sequence[Committed | Adopted],
    seconds: Mapping[str, float],
) -> JobReport:
    """Write the report beside the manifest; returns what it tells. Blocks.

    The report describes the output and is no part of it: the manifest does not name it.

    1. No page there: written.
    2. A page of another job, whose replacement was killed before its report: written over.
    3. A page of this job, and this run scored something: written over.
    4. A page of this job, and nothing was left to score: kept, it tells of the run that scored.
    """
    report = build_report(job, model, plan, manifest, scored, seconds)
    page = render_report(report).encode()
    if not plan.output.put_if_absent(REPORT_KEY, page) and (
        scored or manifest.fingerprint.encode() not in plan.output.read(REPORT_KEY)
    ):
        plan.output.replace(REPORT_KEY, page, if_etag=None)
    plan.output.clear_scratch()
    return report


def build_report(
    job: BatchJob,
    model: ModelVersion,
    plan: JobPlan,
    manifest: Manifest,
    scored: Sequence[Committed | Adopted],
    seconds: Mapping[str, float],
) -> JobReport:
    """Tell of a published output. Blocks.

    `scored` is what this run did to get there; `seconds` is how long each of its phases took.
    """
    own = [done.record.provenance for done in scored if isinstance(done, Committed)]
    fed = {
        encoder.spec.name: tuple(source.column for source in encoder.sources)
        for encoder in plan.mapping.encoders
    }
    return JobReport(
        job=job.model,
        model=str(model),
        model_digest=model.digest,
        input_uri=plan.dataset.uri,
        output_uri=plan.output.uri,
        started_at=manifest.started_at,
        published_at=manifest.published_at,
        rows_in=manifest.rows_in,
        rows_ok=manifest.rows_ok,
        rows_quarantined=manifest.rows_quarantined,
        rows_this_run=sum(part.rows_in for part in own),
        shards_scored=len(own),
        shards_adopted=len(manifest.parts) - len(own),
        part_bytes=manifest.bytes,
        wall_s=sum(seconds.values()),
        scoring_s=seconds["score"],
        stages=_stages(part.timings for part in own),
        columns=fed,
        outputs=merge_profiles([manifest.outputs]),
        reasons=quarantine_reasons(
            plan.output,
            manifest,
            first_columns=[column for columns in fed.values() for column in columns],
        ),
        files=tuple(
            FileLineage(file.key, file.etag, file.size, sum(file.row_groups))
            for file in manifest.components.inputs
        ),
        fingerprint=manifest.fingerprint,
        versions=_versions(),
        notes=() if plan.claim.conditional_writes else (_WEAK_STORE,),
    )


def _stages(timings: Iterable[Mapping[str, float]]) -> tuple[StageTime, ...]:
    total: Counter[str] = Counter()
    for each in timings:
        total.update(each)
    return tuple(StageTime(name, total[name]) for name in STAGES if name in total)


def _versions() -> dict[str, str]:
    """Return the versions of the programs that this process scores with."""
    found = {"Python": platform.python_version()}
    for program in _PROGRAMS:
        try:
            found[program] = version(program)
        except PackageNotFoundError:
            continue  # run from a source folder that is not installed
    return found
