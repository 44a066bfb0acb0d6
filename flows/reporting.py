"""Gather what a finished job's report tells."""

import platform
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version

from flows.bottleneck import Work
from flows.planning import JobPlan
from flows.profile import merge_profiles
from flows.quarantine_examples import quarantine_reasons
from flows.report import render_report
from flows.report_data import FileLineage, JobReport
from flows.shards.commit import Adopted, Committed
from flows.shards.manifest import Manifest
from inference.jobs import BatchJob
from registry.domain import ModelVersion
from telemetry.version import platform_version

REPORT_KEY = "_report.html"
"""Beside the manifest. Without the underscore, readers of a folder of Parquet files stumble."""
_PROGRAMS = ("prefect", "tritonclient", "pyarrow", "numpy")
_WEAK_STORE = (
    "The output's store ignores conditional writes. Every part still holds the right rows, each "
    "once; but a late attempt may have overwritten a part with its own copy of the same rows."
)
_FOREIGN = (
    "The servers answered {requests:,} requests of other clients for the same model meanwhile. "
    "They are in the seconds of queue and compute."
)


@dataclass(frozen=True, slots=True)
class FinishedJob:
    """A published output with what this run did to get there."""

    job: BatchJob
    """What was asked for."""
    model: ModelVersion
    """The version that scored."""
    plan: JobPlan
    """What was decided before."""
    manifest: Manifest
    """What was published."""
    scored: tuple[Committed | Adopted, ...]
    """Shards that were left to score."""
    work: Work
    """How long that took, by stage."""
    seconds: Mapping[str, float]
    """How long each phase of the run took."""


def write_report(done: FinishedJob) -> JobReport:
    """Write the report beside the manifest; returns what it tells. Blocks.

    The report describes the output and is no part of it: the manifest does not name it.

    1. No page there: written.
    2. A page of another job, whose replacement was killed before its report: written over.
    3. A page of this job, and this run scored something: written over.
    4. A page of this job, and nothing was left to score: kept, it tells of the run that scored.
    """
    output, fingerprint = done.plan.output, done.manifest.fingerprint.encode()
    report = build_report(done)
    page = render_report(report).encode()
    if not output.put_if_absent(REPORT_KEY, page) and (
        done.scored or fingerprint not in output.read(REPORT_KEY)
    ):
        output.replace(REPORT_KEY, page, if_etag=None)
    output.clear_scratch()
    return report


def build_report(done: FinishedJob) -> JobReport:
    """Tell of a published output. Blocks."""
    model, plan, manifest = done.model, done.plan, done.manifest
    own = [each.record.provenance for each in done.scored if isinstance(each, Committed)]
    fed = {
        encoder.spec.name: tuple(source.column for source in encoder.sources)
        for encoder in plan.mapping.encoders
    }
    return JobReport(
        job=done.job.model,
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
        wall_s=sum(done.seconds.values()),
        scoring_s=done.seconds["score"],
        stages=done.work.stages,
        bound=done.work.bound,
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
        notes=tuple(_notes(done)),
    )


def _notes(done: FinishedJob) -> Iterator[str]:
    if not done.plan.claim.conditional_writes:
        yield _WEAK_STORE
    if done.work.foreign_requests:
        yield _FOREIGN.format(requests=done.work.foreign_requests)


def _versions() -> dict[str, str]:
    """Return the versions of the programs that this process scores with."""
    found = {"Python": platform.python_version(), "nightshift": platform_version()}
    return found | {program: version(program) for program in _PROGRAMS}
