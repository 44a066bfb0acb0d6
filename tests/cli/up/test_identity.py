"""Processes are told apart by more than their ids."""

import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from cli.up.identity import MARK, Identity, await_end, end_marked, marked

_SLEEPER = [sys.executable, "-S", "-c", "import time; print(flush=True); time.sleep(600)"]
_DEAF = [
    sys.executable,
    "-S",
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True);"
    "time.sleep(600)",
]


@pytest.fixture
def mark() -> Iterator[str]:
    """A mark of this test's own; whatever has it is ended with the test."""
    found = secrets.token_hex(16)
    yield found
    end_marked(found, grace_s=0)


def _start(command: list[str], mark: str) -> subprocess.Popen[bytes]:
    """Start a process that has the mark; returns when it runs."""
    environment = {**os.environ, MARK: mark}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE)
    assert process.stdout is not None
    with process.stdout as answer:
        answer.readline()
    return process


def test_knows_a_process_until_it_ends(mark: str) -> None:
    """It is alive, then it is not, a zombie neither."""
    process = _start(_SLEEPER, mark)
    found = Identity.of(process.pid)
    assert found is not None
    assert found.alive()
    assert found.signal(signal.SIGKILL)
    assert await_end([found], timeout_s=60)
    assert Identity.of(process.pid) is None  # nobody has collected it
    assert not found.signal(signal.SIGTERM)
    process.wait()


def test_another_process_with_the_id_is_left_alone(mark: str) -> None:
    """Who began at another moment is somebody else: no signal reaches it."""
    with _start(_SLEEPER, mark) as process:
        found = Identity.of(process.pid)
        assert found is not None
        earlier = Identity(found.pid, found.began - 1)
        assert (earlier.alive(), earlier.signal(signal.SIGKILL)) == (False, False)
        assert found.alive()
        found.signal(signal.SIGKILL)


def test_waiting_for_an_end_has_an_end(mark: str) -> None:
    """A process that goes on is reported as such."""
    with _start(_SLEEPER, mark) as process:
        found = Identity.of(process.pid)
        assert found is not None
        assert not await_end([found], timeout_s=0.05)
        found.signal(signal.SIGKILL)


def test_ends_what_has_the_mark_and_nothing_else(mark: str) -> None:
    """A child of a child is found, one that is deaf to TERM too; another mark is none of ours."""
    parent = [sys.executable, "-S", "-c", f"import subprocess; subprocess.run({_DEAF!r})"]
    with _start(parent, mark) as child, _start(_SLEEPER, f"{mark}0") as other:
        assert child.pid in {each.pid for each in marked(mark)}
        assert end_marked(mark, grace_s=0.2) == 2
        assert marked(mark) == []
        assert other.poll() is None
        other.kill()


def test_nothing_to_end_takes_no_time(mark: str) -> None:
    """Without leftovers none are counted."""
    assert end_marked(mark, grace_s=60) == 0
