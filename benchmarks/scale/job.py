"""Run one job whose slices go to workers, in a process of its own; tell when what happened."""

import json
import sys
import time

from flows.launch import run_here
from flows.progress import Snapshot, observed_by
from inference.jobs import BatchJob


def main() -> None:
    """Take the job as JSON; print one line of JSON: moments in seconds since the epoch."""
    entered: dict[str, float] = {}

    def observe(snapshot: Snapshot) -> None:
        entered.setdefault(snapshot.phase, time.time())

    began = time.time()
    with observed_by(observe):
        report = run_here(BatchJob.model_validate_json(sys.argv[1]))
    ended = time.time()
    print(json.dumps({"began": began, "ended": ended, "rows": report.rows_ok, **entered}))


if __name__ == "__main__":
    main()
