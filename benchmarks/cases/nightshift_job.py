"""Score a dataset with Nightshift's flow.

The environment names Triton, Prefect and the registry.
`python -m benchmarks.cases.nightshift_job DATASET OUTPUT MODEL`
"""

import json
import sys
import time

from flows.launch import run_here
from inference.jobs import BatchJob


def main(dataset: str, output: str, model: str) -> None:
    """Print rows, seconds to the published manifest, and those of the whole flow run, as JSON."""
    start = time.perf_counter()
    report = run_here(BatchJob(model=model, input=dataset, output=output))
    told = {
        "rows": report.rows_ok,
        "seconds": report.wall_s,
        "flow_seconds": time.perf_counter() - start,
        "stages": {stage.name: round(stage.busy_s, 3) for stage in report.stages},
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
