"""Slices on real workers: the result is that of one process, whoever dies meanwhile."""

import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from cli.stack.prefect_server import LocalPrefect
from flows.launch import run_here
from tests.deployments.workers import awaited, slice_runs, submit, worker
from tests.flows.workplace import PLATFORM_MARKS, Workplace

pytestmark = [*PLATFORM_MARKS, pytest.mark.slow, pytest.mark.timeout(900)]

SLICED = {"slice_rows": 200, "slice_poll_s": 0.5}
"""Slices of four shards of 50 rows."""


def manifest(workplace: Workplace, output: str) -> dict[str, Any]:
    """What was published, without what differs from run to run."""
    found = json.loads(Path(workplace.uri(output), "_manifest.json").read_text())
    own = {"write_id", "etag", "written_at", "attempt", "timings", "footer_sha256", "bytes"}
    parts = [{k: v for k, v in part.items() if k not in own} for part in found["parts"]]
    kept = ("fingerprint", "cut", "rows_in", "rows_ok", "rows_quarantined", "reasons", "outputs")
    return {"parts": parts, **{name: found[name] for name in kept}}


def test_two_workers_score_as_one_process_does(
    workplace: Workplace, deployed: str, prefect_api: LocalPrefect, servers_dir: Path
) -> None:
    """Same rows, same manifest, and nothing is left of what the runs told each other."""
    expected = workplace.numbers(files=8, pause_ms=50)
    with ExitStack() as workers:
        for number in (1, 2):
            log = servers_dir / f"worker-{number}.log"
            workers.enter_context(worker(prefect_api, workplace.folder, log, "--limit", "2"))
        run = awaited(submit(workplace.job(), **SLICED), within_s=400)
    assert run.state_name == "Completed", run.state
    run_here(workplace.job(output="alone"))
    assert workplace.scores() == expected
    assert manifest(workplace, "scores") == manifest(workplace, "alone")
    assert workplace.keys() == workplace.keys("alone")
    slices = slice_runs(manifest(workplace, "scores")["fingerprint"])
    assert [(each.name, each.state_name) for each in slices] == [
        (f"slice {k} run {k}", "Completed") for k in range(4)
    ]


def test_one_worker_with_one_slot_is_enough(
    workplace: Workplace, deployed: str, prefect_api: LocalPrefect, servers_dir: Path
) -> None:
    """The job's own run has the only slot: it scores its slices itself, and withdraws them."""
    expected = workplace.numbers(files=8)
    with worker(prefect_api, workplace.folder, servers_dir / "alone.log", "--limit", "1"):
        run = awaited(submit(workplace.job(), **SLICED, slice_wait_s=1), within_s=400)
    assert run.state_name == "Completed", run.state
    assert workplace.scores() == expected
    slices = slice_runs(manifest(workplace, "scores")["fingerprint"])
    # It may have begun with the first before it had sent them all.
    assert {each.name for each in slices} <= {f"slice {k} run {k}" for k in range(4)}
    assert {each.state_name for each in slices} == {"Cancelled"}
