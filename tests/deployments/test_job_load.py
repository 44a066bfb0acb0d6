"""Many jobs at once, and an API that is killed while it takes them: none is lost or doubled."""

import asyncio
import json
import os
import re
import signal
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from random import Random
from threading import Event
from typing import Any

import httpx
import pytest

from cli.stack.prefect_server import LocalPrefect
from cli.stack.process import LOOPBACK, free_ports
from tests.api import tokens
from tests.chaos.seeds import Chaos
from tests.cli.stack.processes import eventually
from tests.deployments.serving import draft, forget_runs, register, runs_of, serving
from tests.flows.workplace import PLATFORM_MARKS

pytestmark = [*PLATFORM_MARKS, pytest.mark.chaos, pytest.mark.slow, pytest.mark.timeout(1200)]

CALLERS = 4
LONGEST_S = 0.5
"""Within which 99 of 100 submissions are answered in the long form."""


@dataclass(frozen=True, slots=True)
class _Answer:
    """What one request got."""

    status: int
    """HTTP's status."""
    retry_after_s: float
    """When to come again; 0 when nothing says so."""
    body: Any
    """JSON."""


async def _asked(port: int, name: str) -> _Answer:
    """Submit once, on a connection of its own.

    By hand: a client of HTTP would take more of the processor than the API does, and the time of
    its 200 callers would count as the API's.
    """
    body = json.dumps(draft(name)).encode()
    headers = {
        "Host": LOOPBACK,
        "Idempotency-Key": name,
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        "Connection": "close",
        **tokens.bearer(),
    }
    head = "".join(f"{key}: {value}\r\n" for key, value in headers.items())
    reader, writer = await asyncio.open_connection(LOOPBACK, port)
    try:
        writer.write(f"POST /v1/jobs HTTP/1.1\r\n{head}\r\n".encode() + body)
        told, _, answered = (await reader.read()).partition(b"\r\n\r\n")
    finally:
        writer.close()
    later = re.search(rb"(?i)\nretry-after: (\d+)", told)
    return _Answer(
        int(told.split(b" ", 2)[1]), float(later[1]) if later else 0.0, json.loads(answered)
    )


async def _submitted_at_once(
    port: int, random: Random, count: int
) -> tuple[list[str], list[float]]:
    """Submit so many jobs at the same moment; return them, and how long each request took.

    Who is told to come later does.
    """
    took: list[float] = []

    async def submit(name: str) -> str:
        while True:
            began = time.perf_counter()
            answer = await asyncio.wait_for(_asked(port, name), timeout=60)
            took.append(time.perf_counter() - began)
            if answer.status == 201:
                return str(answer.body["id"])
            assert answer.status == 429, answer
            assert answer.retry_after_s > 0
            await asyncio.sleep(answer.retry_after_s * random.uniform(1, 2))

    jobs = await asyncio.gather(*(submit(f"at-once/{n}") for n in range(count)))
    return jobs, took


def test_many_jobs_at_once_run_once_each(
    tmp_path: Path, prefect_api: LocalPrefect, deployed: str, postgres_url: str, chaos: Chaos
) -> None:
    """All are taken or told to come later; Prefect has one run of each."""
    register(postgres_url)
    (port,) = free_ports(1)
    count = chaos.count(200, sample=12)
    with serving(prefect_api, tmp_path, postgres_url, port):
        jobs, took = asyncio.run(_submitted_at_once(port, chaos.random(), count))
        p99 = sorted(took)[int(len(took) * 0.99)]
        told = (
            f"{count} jobs, {len(took) - count} times told to come later, p99 {p99 * 1000:.0f} ms"
        )
        chaos.tell(told)
        try:
            once = Counter(dict.fromkeys(jobs, 1))
            assert len(once) == count
            assert eventually(lambda: runs_of(jobs) == once, within_s=400)
        finally:
            forget_runs(jobs)
    if chaos.scale is not None:  # a sample in between other tests has no figures
        assert p99 < LONGEST_S, told


def test_an_api_that_is_killed_loses_no_job(
    tmp_path: Path, prefect_api: LocalPrefect, deployed: str, postgres_url: str, chaos: Chaos
) -> None:
    """What was acknowledged is there; what was repeated under its key is one job with one run."""
    register(postgres_url)
    random, (port,) = chaos.random(), free_ports(1)
    kills = chaos.count(20, sample=1)
    acknowledged: dict[str, set[str]] = {}
    for number in range(kills):
        _kill_while_submitting(prefect_api, tmp_path, postgres_url, port, random, acknowledged)
        assert len(acknowledged) >= number + 1
    with serving(prefect_api, tmp_path, postgres_url, port):
        with _client(port) as client:
            for name in acknowledged:
                acknowledged[name].add(_submit(client, name))
        jobs = [job for each in acknowledged.values() for job in each]
        try:
            assert {len(each) for each in acknowledged.values()} == {1}
            once = Counter(dict.fromkeys(jobs, 1))
            assert eventually(lambda: runs_of(jobs) == once, within_s=400)
        finally:
            forget_runs(jobs)
    chaos.tell(f"{kills} SIGKILLs, {len(jobs)} jobs acknowledged, 0 lost, 0 twice")


def _kill_while_submitting(
    prefect: LocalPrefect,
    folder: Path,
    database_url: str,
    port: int,
    random: Random,
    acknowledged: dict[str, set[str]],
) -> None:
    """Submit from several callers until the API is killed; note what it acknowledged."""
    ended, first = Event(), len(acknowledged)

    def call(caller: int) -> None:
        with _client(port) as client:
            for number in range(10_000):
                name = f"killed/{first}-{caller}-{number}"
                try:
                    acknowledged[name] = {_submit(client, name)}
                except httpx.HTTPError:
                    ended.set()
                    return

    with serving(prefect, folder, database_url, port) as process, ThreadPoolExecutor(4) as threads:
        calls = [threads.submit(call, caller) for caller in range(CALLERS)]
        assert eventually(lambda: len(acknowledged) > first, within_s=120)
        time.sleep(random.uniform(0, 0.3))
        os.kill(process.pid, signal.SIGKILL)
        for each in calls:
            each.result(timeout=60)


def _client(port: int) -> httpx.Client:
    return httpx.Client(base_url=f"http://{LOOPBACK}:{port}", headers=tokens.bearer(), timeout=60)


def _submit(client: httpx.Client, name: str) -> str:
    answer = client.post("/v1/jobs", json=draft(name), headers={"Idempotency-Key": name})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])
