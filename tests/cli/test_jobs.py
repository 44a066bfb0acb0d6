"""Jobs from the command line, through a running API; nobody answers for Prefect, so they wait."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.job_views import described, line_of, row_of
from cli.stack.process import LOOPBACK, free_ports
from registry.settings import RegistrySettings
from tests.cli.conftest import Command
from tests.cli.stack.processes import eventually
from tests.conftest import ROOT
from tests.deployments.serving import register

SUBMIT = ("jobs", "submit", "--model", "flights@1", "--input", "s3://lake/in/", "--output")
WATCHED = ("--watch", "--json")
JOB = {
    "id": "1a2b3c4d5e6-0f1e2d3c",
    "state": "running",
    "detail": "is being scored",
    "why": "",
    "model": "flights",
    "version": 3,
    "input": "s3://lake/in/",
    "output": "s3://lake/out",
    "cancel_asked_at": None,
    "rows": {"total": 12_000, "done": 3_000, "quarantined": 7},
    "shards": {"total": 8, "done": 2},
    "rate": 1500.4,
    "eta_s": 6.0,
    "bottleneck": "compute",
    "gpu_s": 90.0,
    "cost": {"amount": 0.05, "currency": "EUR"},
    "links": {"prefect_run": "http://p/runs/flow-run/r", "report": None, "quarantine": "s3://q/"},
}


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A running API in development that takes jobs; commands talk to it."""
    (port,) = free_ports(1)
    database = RegistrySettings(database_url=f"sqlite:///{tmp_path}/registry.db").database_url
    register(database)
    environment = os.environ | {
        "NIGHTSHIFT_API_PORT": str(port),
        "NIGHTSHIFT_DATABASE_URL": database,
        "NIGHTSHIFT_STORES": '{"lake": {"prefixes": ["s3://lake/"]}}',
        "NIGHTSHIFT_TRITON_URLS": f"{LOOPBACK}:9",
        "PREFECT_API_URL": f"http://{LOOPBACK}:9/api",
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, "-m", "cli.main", "serve"]
    server = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL)
    try:
        assert eventually(lambda: _listens(port), within_s=200)
        monkeypatch.setenv("NIGHTSHIFT_API_URL", f"http://{LOOPBACK}:{port}")
        yield f"http://{LOOPBACK}:{port}"
    finally:
        server.terminate()
        server.wait(timeout=100)


def test_a_job_is_submitted_shown_cancelled_and_resumed(
    command: Command, api: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Each command says what it did; a script gets JSON and a status."""
    monkeypatch.setenv("NIGHTSHIFT_API_TOKEN", command("token").stdout.strip())
    made = command(*SUBMIT, "s3://lake/out", "--with", '{"keep": "none"}', "--key", "k", "--json")
    assert made.exit_code == 0, made.stderr
    job = json.loads(made.stdout)
    assert (job["state"], job["job"]["keep"]) == ("queued", "none")
    again = command(*SUBMIT, "s3://lake/out", "--with", '{"keep": "none"}', "--key", "k")
    assert again.stdout == f"job {job['id']} is submitted\n"
    taken = command(*SUBMIT, "s3://lake/out")
    assert (taken.exit_code, f"job {job['id']} writes at" in taken.stderr) == (1, True)
    outside = command(*SUBMIT, "/etc")
    assert (outside.exit_code, "outside of the stores" in outside.stderr) == (1, True)
    assert job["id"] in command("jobs", "list", "--state", "queued").stdout
    assert json.loads(command("jobs", "list", "--json").stdout)[0]["id"] == job["id"]
    _watched_until_interrupted(job["id"], tmp_path)
    cancelled = command("jobs", "cancel", job["id"], "--why", "wrong month")
    told = "is cancelled: parts that are committed stay, resume goes on from them"
    assert cancelled.stdout == f"job {job['id']} {told}\n"
    watched = command("jobs", "watch", job["id"])
    assert (watched.exit_code, watched.stdout) == (3, "cancelled: wrong month\n")
    lines = command(*SUBMIT, "s3://lake/out", "--with", '{"keep": "none"}', "--key", "k", *WATCHED)
    assert [json.loads(line)["state"] for line in lines.stdout.splitlines()] == ["cancelled"]
    assert lines.stderr == f"job {job['id']} is submitted\n"
    shown = command("jobs", "show", job["id"]).stdout
    assert "cancelled by demo: wrong month" in shown
    assert command("jobs", "resume", job["id"]).stdout == f"job {job['id']} waits for a worker\n"


def _watched_until_interrupted(job: str, folder: Path) -> None:
    """Ctrl-C ends the watching only, and says so."""
    command = [sys.executable, "-m", "cli.main", "jobs", "watch", job]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=folder, env=environment, text=True, **pipes) as watching:  # type: ignore[call-overload]  # the pipes are given by name
        assert watching.stdout is not None
        assert watching.stdout.readline() == "queued\n"
        time.sleep(0.1)
        watching.send_signal(signal.SIGINT)
        _, told = watching.communicate(timeout=100)
    assert watching.returncode == 130
    assert told.startswith(f"job {job} goes on without you: `nightshift jobs watch {job}`")


def test_a_line_tells_how_a_job_goes() -> None:
    """Rows, rate, time left; what is being cancelled says so."""
    told = "running, 3,000 of 12,000 rows, 7 quarantined, 1,500 rows/s, 6 s left"
    assert line_of(JOB) == told
    stopping = JOB | {"cancel_asked_at": "2026-05-03T02:00:00Z"}
    assert line_of(stopping).startswith("cancelling, 3,000 of 12,000 rows")
    assert row_of(JOB) == (
        *("1a2b3c4d5e6-0f1e2d3c", "running", "flights@3", "3,000 of 12,000", "2 of 8"),
        *("1,500 rows/s", "s3://lake/out"),
    )


def test_a_job_is_described_with_its_history() -> None:
    """The oldest event first; what there is nothing of yet is left out."""
    moved = {"kind": "job.moved", "at": "2026-05-03T02:00:01Z", "by": "run", "state": "planning"}
    asked = {"kind": "job.cancel-asked", "at": "2026-05-03T02:00:02Z", "by": "eve", "state": "x"}
    events = [asked | {"why": "wrong month"}, moved | {"why": ""}]
    assert described(JOB, events).splitlines() == [
        "job 1a2b3c4d5e6-0f1e2d3c is being scored",
        "  model        flights@3",
        "  input        s3://lake/in/",
        "  output       s3://lake/out",
        "  rows         3,000 of 12,000 rows, 7 quarantined",
        "  shards       2 of 8",
        "  rate         1,500 rows/s",
        "  bounded by   compute",
        "  GPU seconds  90.0",
        "  cost         0.05 EUR",
        "  run          http://p/runs/flow-run/r",
        "  quarantine   s3://q/",
        "  2026-05-03 02:00:01  planning by run",
        "  2026-05-03 02:00:02  cancel asked by eve: wrong month",
    ]


def _listens(port: int) -> bool:
    try:
        socket.create_connection((LOOPBACK, port), timeout=1).close()
    except OSError:
        return False
    return True
