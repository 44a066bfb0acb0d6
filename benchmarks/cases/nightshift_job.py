"""Score a dataset with Nightshift's flow, as `nightshift score` runs it.

`python -m benchmarks.cases.nightshift_job TASK`, in the platform's environment; the environment
names Triton, Prefect and the registry.
"""

import sys
import tempfile

from benchmarks.cases.alias import ALIAS
from benchmarks.cases.clock import timed
from benchmarks.cases.task import Task
from flows.launch import run_here
from inference.jobs import BatchJob


def main(task: Task) -> None:
    """Score, from the call to its return; a job of the first file alone is not timed."""
    with tempfile.TemporaryDirectory() as folder:
        run_here(_job(task, str(task.files[0]), f"{folder}/first"))
    with timed() as told:
        report = run_here(_job(task, task.dataset, task.output))
        told["wall_s"] = round(report.wall_s, 3)
        told["stages"] = {stage.name: round(stage.busy_s, 3) for stage in report.stages}


def _job(task: Task, source: str, output: str) -> BatchJob:
    return BatchJob(model=f"{task.model}@{ALIAS}", input=source, output=output)


if __name__ == "__main__":
    main(Task.from_json(sys.argv[1]))
