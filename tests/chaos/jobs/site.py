"""Bring together what whole jobs need while it is killed."""

import json
import os
import signal
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cli.stack.triton import LocalTriton
from inference.jobs import BatchJob
from tests.chaos.checker import Expected
from tests.chaos.jobs.front import S3Front
from tests.chaos.jobs.runner import JobRunner, RunningJob
from tests.chaos.jobs.witness import MODEL, Witness
from tests.chaos.objects import Found, read_bucket, read_folder
from tests.flows.workplace import Workplace
from tests.servers.s3 import S3Endpoint

SHARD_ROWS, IN_FLIGHT = 2000, 2
"""Rows of a shard, and shards that a job scores at the same time."""


@dataclass(frozen=True, slots=True)
class FailPoint:
    """Where the process of a job ends itself; see `tests.faults.failpoints`."""

    name: str
    """`WHEN:OPERATION:OBJECT`."""
    skip: int
    """Occurrences that it survives."""


@dataclass(frozen=True, slots=True)
class Site:
    """A dataset, servers that may be killed, and outputs of many jobs."""

    workplace: Workplace
    """Environment and addresses of the jobs."""
    triton: LocalTriton
    """The only server of the pool."""
    witness: Witness
    """What its model was asked."""
    runner: JobRunner
    """Where jobs' processes come from."""
    temporary: Path
    """The system's temporary folder, as the jobs' processes see it."""
    expected: Expected
    """What every output must hold."""
    bucket: S3Endpoint | None = None
    """Where outputs lie behind the front; None for a folder."""
    front: S3Front | None = None
    """Through which jobs reach the bucket."""

    @property
    def victims(self) -> tuple[str, ...]:
        """Whom to kill."""
        return ("job", "triton") if self.front is None else ("job", "triton", "s3")

    def job(self, output: str) -> BatchJob:
        """Ask for the dataset to be scored."""
        bad = self.expected.quarantined.num_rows
        return self.workplace.job(output=output, model=f"{MODEL}@1", max_quarantined_rows=bad)

    @contextmanager
    def started(
        self, job: BatchJob, point: FailPoint | None = None, **settings: str
    ) -> Iterator[RunningJob]:
        """Run a job in a process of its own, killed at the end if it still runs."""
        here = (point.name, point.skip) if point is not None and self.front is None else None
        variables = {f"NIGHTSHIFT_{name.upper()}": value for name, value in settings.items()}
        running = self.runner.run(job, variables, here)
        try:
            if point is not None and self.front is not None:
                self.front.order(point.name, point.skip, running.pid)
            yield running
        finally:
            running.kill()
            running.wait()
            if self.front is not None:
                self.front.forget()

    def kill(self, server: str) -> None:
        """End Triton or the S3 front by SIGKILL."""
        if server == "s3":
            assert self.front is not None
            self.front.kill()
        else:
            os.kill(self.triton.pid, signal.SIGKILL)
            self.triton.stop()

    def revive(self, server: str) -> None:
        """Start it again, on the same ports."""
        if server == "s3":
            assert self.front is not None
            self.front.start()
        else:
            self.triton.start()

    def read(self, output: str) -> dict[str, Found]:
        """Take every object of an output, without the front."""
        if self.bucket is None:
            return read_folder(self.workplace.folder / output)
        return read_bucket(
            self.bucket.url,
            self.bucket.bucket,
            f"{output}/",
            aws_access_key_id=self.bucket.access_key,
            aws_secret_access_key=self.bucket.secret_key,
            region_name=self.bucket.region,
        )

    def mapped(self) -> list[str]:
        """Return the names of the regions that Triton has mapped."""
        url = f"{self.triton.http_url}/v2/systemsharedmemory/status"
        with urllib.request.urlopen(url) as answer:
            return [region["name"] for region in json.load(answer)]
