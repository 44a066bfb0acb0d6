"""Run a job in this process: `python job_process.py JOB`, the environment names the servers."""

import sys

from flows.launch import run_here
from inference.jobs import BatchJob

if __name__ == "__main__":
    run_here(BatchJob.model_validate_json(sys.argv[1]))
