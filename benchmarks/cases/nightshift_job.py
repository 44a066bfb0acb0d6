"""Score a dataset with Nightshift's flow, as `nightshift score` runs it.

`python -m benchmarks.cases.nightshift_job TASK`, in the platform's environment; the environment
names Triton, Prefect and the registry.
"""

import sys

from benchmarks.cases.clock import timed
from benchmarks.cases.task import Task
from flows.launch import run_here
from inference.jobs import BatchJob

ALIAS = "bench"
"""Alias under which the harness registers each workload's model."""


def main(task: Task) -> None:
    """Tell the seconds from the flow's start to the published manifest, and its stages' times."""
    job = BatchJob(model=f"{task.model}@{ALIAS}", input=task.dataset, output=task.output)
    with timed() as told:
        report = run_here(job)
        told["seconds"] = report.wall_s
        told["stages"] = {stage.name: round(stage.busy_s, 3) for stage in report.stages}


if __name__ == "__main__":
    main(Task.from_json(sys.argv[1]))
