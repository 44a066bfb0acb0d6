"""Check that the page beside a manifest tells of that manifest."""

from pathlib import Path

import pytest

from cli.stack.triton import LocalTriton
from flows.bottleneck import Work
from flows.reporting import REPORT_KEY, FinishedJob, write_report
from inference.jobs import BatchJob
from registry.domain import ModelVersion
from tests.flows.bench import DOUBLING, Bench, model, numbers, open_bench, spec

pytestmark = pytest.mark.triton

NO_WORK = Work(stages=(), bound=None, foreign_requests=0)
NEWER = model("faulty", [spec("x", "FP32", 1)], [spec("y", "FP32", 1)], version=2)


def report_again(bench: Bench, job: BatchJob, version: ModelVersion) -> bytes:
    """Report a published job as a run that scored nothing does; returns the page and no more."""
    plan = bench.plan(job, version)
    assert plan.claim.published is not None
    done = FinishedJob(job, version, plan, plan.claim.published, (), NO_WORK, {"score": 1.0})
    write_report(done)
    return plan.output.read(REPORT_KEY)


async def test_the_page_of_a_replaced_job_goes(triton: LocalTriton, tmp_path: Path) -> None:
    """Killed between manifest and report, the new job gets its page from the next run."""
    source, output = numbers(tmp_path / "in.parquet", [1.0, 2.0]), tmp_path / "out"
    async with open_bench(triton.grpc_url) as bench:
        old = await bench.run(DOUBLING, source, output)
        job = BatchJob(model="faulty@1", input=str(source), output=str(output))
        first = report_again(bench, job, DOUBLING)
        assert old.manifest.fingerprint.encode() in first
        new = await bench.run(NEWER, source, output, replace=True)
        second = report_again(bench, job, NEWER)
    assert new.manifest.fingerprint.encode() in second
    assert old.manifest.fingerprint.encode() not in second


async def test_a_run_that_scored_nothing_keeps_the_page(
    triton: LocalTriton, tmp_path: Path
) -> None:
    """It tells of the run that did the work."""
    source, output = numbers(tmp_path / "in.parquet", [1.0, 2.0]), tmp_path / "out"
    async with open_bench(triton.grpc_url) as bench:
        scored = await bench.run(DOUBLING, source, output)
        job = BatchJob(model="faulty@1", input=str(source), output=str(output))
        page = b"<p>" + scored.manifest.fingerprint.encode()
        (output / REPORT_KEY).write_bytes(page)
        assert report_again(bench, job, DOUBLING) == page
