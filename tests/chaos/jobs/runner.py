"""Run jobs in processes of their own that may be killed."""

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from cli.stack.process import Startable
from inference.jobs import BatchJob
from tests.conftest import ROOT


class RunningJob:
    """A process that runs one job."""

    def __init__(self, pid: int, answers: int) -> None:
        self.pid = pid
        self._answers = answers
        self._status: int | None = None

    def poll(self, within_s: float = 0) -> int | None:
        """Return the exit status, negative when a signal ended it; None while it runs."""
        if self._status is None and select.select([self._answers], [], [], within_s)[0]:
            self._status = _number(self._answers)
        return self._status

    def wait(self, within_s: float = 90) -> int:
        """Wait for its end; a job that hangs is killed, and fails the test."""
        status = self.poll(within_s)
        if status is None:
            self.kill()
            raise AssertionError(f"the job still runs after {within_s} s")
        return status

    def kill(self) -> None:
        """SIGKILL, when it still runs."""
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)


class JobRunner(Startable):
    """Starts the processes from one that has imported everything; one job at a time."""

    def __init__(self, environment: Mapping[str, str], log: Path) -> None:
        self.environment = environment
        self.log = log
        """What the jobs say."""
        self._program: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Import everything."""
        with self.log.open("ab") as log:
            self._program = subprocess.Popen(
                [sys.executable, Path(__file__).with_name("job_runner.py")],
                env={**os.environ, **self.environment, "PYTHONPATH": str(ROOT)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                bufsize=0,
            )

    def run(
        self, job: BatchJob, settings: Mapping[str, str], point: tuple[str, int] | None = None
    ) -> RunningJob:
        """Start a job, with `settings` in its environment.

        It ends itself at the fail-point `point` of a local output.
        """
        assert self._program is not None
        assert self._program.stdin is not None
        assert self._program.stdout is not None
        asked = {"job": job.model_dump(), "settings": dict(settings), "point": point}
        self._program.stdin.write(json.dumps(asked).encode() + b"\n")
        answers = self._program.stdout.fileno()
        return RunningJob(_number(answers), answers)

    def stop(self) -> None:
        """End; the last job must have ended."""
        if self._program is None:
            return
        self._program.kill()
        self._program.communicate()


def _number(answers: int) -> int:
    line = b""
    while not line.endswith(b"\n"):
        byte = os.read(answers, 1)
        assert byte, "the runner of jobs has ended: see its log"
        line += byte
    return int(line)
