"""Plan a job and score nothing: `python -m benchmarks.cases.planning TASK`.

In the platform's environment, which says how S3 is reached. The output is claimed and left.
"""

import sys
from datetime import UTC, datetime

from benchmarks.cases.clock import timed
from benchmarks.cases.task import Task
from flows.planning import plan_job
from flows.shards.settings import S3Settings, ShardSettings
from inference.jobs import BatchJob
from registry.domain import ModelVersion, Signature, TensorSpec


def main(task: Task) -> None:
    """Tell the seconds that planning takes, and the shards that it gives."""
    inputs = TensorSpec(task.input, task.datatype, (-1, task.width))
    outputs = TensorSpec(task.output_name, "FP32", (-1, task.output_width))
    model = ModelVersion(
        name=task.model,
        version=1,
        signature=Signature((inputs,), (outputs,), 0),
        digest=f"sha256:{'0' * 64}",
        served_name=task.model,
        served_version="1",
    )
    job = BatchJob(model=str(model), input=task.dataset, output=task.output)
    with timed() as told:
        plan = plan_job(job, model, files=ShardSettings(), s3=S3Settings(), now=datetime.now(UTC))
        told["rows"] = plan.rows
        told["shards"] = len(plan.shards)


if __name__ == "__main__":
    main(Task.from_json(sys.argv[1]))
