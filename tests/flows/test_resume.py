"""Check jobs that are killed, and jobs whose servers go away, with a real Prefect."""

import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from cli.stack.prefect_server import LocalPrefect
from cli.stack.process import LOOPBACK, free_ports
from cli.stack.triton import LocalTriton, TritonPorts
from flows.errors import JobUnfinished
from flows.launch import run_here
from flows.progress import Snapshot, observed_by
from inference.jobs import BatchJob
from tests.cli.stack.processes import eventually
from tests.conftest import ROOT, TritonFactory
from tests.flows.workplace import PLATFORM_MARKS, Workplace, held, requests_of

pytestmark = PLATFORM_MARKS

REQUESTS_PER_SHARD = 4
"""50 rows, at most 16 at a time."""


@contextmanager
def job_process(job: BatchJob, prefect: LocalPrefect) -> Iterator[subprocess.Popen[bytes]]:
    """Run a job in a process of its own, which is killed at the end."""
    environment = os.environ | prefect.client_environment() | {"PYTHONPATH": str(ROOT)}
    program = Path(__file__).with_name("job_process.py")
    process = subprocess.Popen(
        [sys.executable, program, job.model_dump_json()],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def parts(workplace: Workplace) -> int:
    """Parts committed so far."""
    keys = workplace.keys()
    return sum(key.startswith("part-") for key in keys)


def settled(triton: LocalTriton) -> int:
    """Count requests once the server has done with those of a killed job, 100 ms each."""
    asked, before = requests_of(triton), -1
    while asked != before or waiting(triton):
        time.sleep(1.0)
        asked, before = requests_of(triton), asked
    return asked


def waiting(triton: LocalTriton, model: str = "faulty") -> int:
    """Requests that a server has taken and not begun."""
    page = httpx.get(f"http://{LOOPBACK}:{triton.ports.metrics}/metrics", timeout=60).text
    name = rf'nv_inference_pending_request_count{{model="{model}",version="1"}} (\d+)'
    found = re.search(name, page)
    assert found is not None, page
    return int(found[1])


@pytest.mark.parametrize(("workplace", "seed"), [("local", 1), ("s3", 2)], indirect=["workplace"])
def test_a_killed_job_continues(
    workplace: Workplace, triton: LocalTriton, prefect_api: LocalPrefect, seed: int
) -> None:
    """SIGKILL at some moment: the next run scores the rest, and every row is there once."""
    job = workplace.job()
    chance = random.Random(seed)
    wanted = chance.randrange(0, 4)
    with held() as last:
        expected = workplace.numbers(files=3, pause_ms=100, last=last)
        with job_process(job, prefect_api) as process:
            assert eventually(
                lambda: bool(workplace.keys()) and parts(workplace) >= wanted, within_s=200
            )
            time.sleep(chance.uniform(0, 0.2))
            process.send_signal(signal.SIGKILL)
            process.wait()
    assert not workplace.is_published()
    done = parts(workplace)
    asked = settled(triton)
    report = run_here(job)
    assert (report.shards_adopted, report.shards_scored) == (done, 6 - done), f"seed {seed}"
    assert requests_of(triton) - asked == REQUESTS_PER_SHARD * (6 - done)
    assert workplace.scores() == expected
    keys = workplace.keys()
    leftovers = [key for key in keys if key.startswith(("_job", ".", "_quarantine"))]
    assert leftovers == []


@pytest.fixture
def mortal(workplace: Workplace, triton_factory: TritonFactory) -> LocalTriton:
    """The only server of the workplace; may be killed, and starts again on the same ports."""
    server = triton_factory(models=["faulty"], ports=TritonPorts(*free_ports(3)), grace_s=0.5)
    workplace.serve(server.grpc_url)
    return server


def kill(server: LocalTriton) -> None:
    """Let it end as if its machine had lost power."""
    os.kill(server.pid, signal.SIGKILL)
    server.stop()


class Mishap:
    """Kills a server when the job has scored some rows; may start it again a while later."""

    def __init__(self, server: LocalTriton, *, at_row: int, back_after_s: float | None) -> None:
        self._server = server
        self._at_row = at_row
        self._back_after_s = back_after_s
        self._thread = threading.Thread(target=self._run)
        self.seen: list[Snapshot] = []

    def __call__(self, snapshot: Snapshot) -> None:
        """Observe the job's progress."""
        self.seen.append(snapshot)
        if snapshot.rows_done >= self._at_row and self._thread.ident is None:
            self._thread.start()

    def _run(self) -> None:
        kill(self._server)
        if self._back_after_s is not None:
            time.sleep(self._back_after_s)
            self._server.start()

    def wait(self) -> None:
        """Wait until it is over."""
        self._thread.join()


def test_a_server_that_comes_back_in_time(workplace: Workplace, mortal: LocalTriton) -> None:
    """Prefect's retries outlast its absence; nothing is lost, nothing is there twice."""
    expected = workplace.numbers(files=6, pause_ms=60)
    workplace.configure(
        task_retry_delays_s="[0.5,1,1,2,2,3,3]", progress_interval_s=0.02, rounds=30
    )
    mishap = Mishap(mortal, at_row=150, back_after_s=1.0)
    with observed_by(mishap):
        report = run_here(workplace.job())
    mishap.wait()
    assert (report.shards_scored, report.rows_ok) == (12, 600)
    assert workplace.scores() == expected
    assert mishap.seen[-1].rows_done == 600


def test_a_server_that_stays_away(
    workplace: Workplace, triton: LocalTriton, mortal: LocalTriton
) -> None:
    """The job ends resumable; with a server again it scores the rest alone."""
    workplace.configure(task_retry_delays_s="[0.1]", progress_interval_s=0.02, rounds=2)
    mishap = Mishap(mortal, at_row=150, back_after_s=None)
    with held() as last:
        expected = workplace.numbers(files=6, last=last)
        with observed_by(mishap), pytest.raises(JobUnfinished) as caught:
            run_here(workplace.job())
        mishap.wait()
    done = parts(workplace)
    assert 0 < done < 12
    assert str(caught.value).startswith(f"{12 - done} of 12 shards are not scored yet (")
    assert not workplace.is_published()
    workplace.serve(triton.grpc_url)
    asked = requests_of(triton)
    report = run_here(workplace.job())
    assert (report.shards_adopted, report.shards_scored) == (done, 12 - done)
    assert requests_of(triton) - asked == REQUESTS_PER_SHARD * (12 - done)
    assert workplace.scores() == expected
