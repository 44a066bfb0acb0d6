"""Guarded processes: started, awaited and ended, with one line when that fails."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.stack.errors import PortTaken, ServerEnded, ServerNotReady
from cli.stack.process import GuardedProcess, free_ports, port_is_free, require_free
from tests.cli.stack.processes import eventually, runs

_ROOT = Path(__file__).parents[3]


def _process(body: str, log: Path) -> GuardedProcess:
    return GuardedProcess(
        "Sleeper", [sys.executable, "-S", "-c", body], log=log, env=os.environ, grace_s=60
    )


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator[GuardedProcess]:
    """A server that does nothing."""
    with _process("import time; time.sleep(600)", tmp_path / "logs" / "sleeper.log") as process:
        yield process


def test_free_ports_differ() -> None:
    """Ports asked for together are different ones, and can be listened on."""
    ports = free_ports(8)
    assert len(set(ports)) == 8
    assert all(map(port_is_free, ports))


def test_names_a_taken_port() -> None:
    """A port in use is one line with its number."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        assert not port_is_free(port)
        with pytest.raises(PortTaken) as caught:
            require_free("Triton", (*free_ports(1), port))
    assert caught.value.port == port
    assert str(caught.value) == (
        f"port {port} for Triton is taken: end what uses it, or choose another port"
    )


def test_runs_until_stopped(sleeper: GuardedProcess) -> None:
    """The process id is the server's, and is gone after the stop, which may be repeated."""
    assert runs(sleeper.pid)
    assert sleeper.status() is None
    sleeper.stop()
    sleeper.stop()
    assert not runs(sleeper.pid)
    assert sleeper.status() == 128 + signal.SIGTERM


def test_nothing_runs_before_start(tmp_path: Path) -> None:
    """A described server has no process and no status."""
    process = _process("pass", tmp_path / "log")
    assert process.status() is None
    process.stop()
    with pytest.raises(RuntimeError, match="Sleeper was not started"):
        _ = process.pid
    assert process.last_lines() == "(no log)"


def test_shows_the_last_lines_of_a_server_that_ended(tmp_path: Path) -> None:
    """The error has the status and what the server said last."""
    body = (
        "[print('line', i, flush=True) for i in range(9)]; raise SystemExit('port already in use')"
    )
    with _process(body, tmp_path / "log") as process, pytest.raises(ServerEnded) as caught:
        process.await_ready(lambda: False, deadline_s=30)
    assert caught.value.status == 1
    assert str(caught.value) == (
        f"Sleeper ended with status 1 before it was ready; its log {tmp_path / 'log'} says: "
        "line 5 | line 6 | line 7 | line 8 | port already in use"
    )


def test_an_ended_server_is_not_ready(tmp_path: Path) -> None:
    """Another server that answers in its place does not count."""
    with _process("pass", tmp_path / "log") as process:
        assert eventually(lambda: process.status() is not None, within_s=60)
        with pytest.raises(ServerEnded, match="says: \\(nothing\\)"):
            process.await_ready(lambda: True, deadline_s=30)


def test_gives_up_after_the_deadline(sleeper: GuardedProcess) -> None:
    """A server that never answers is an error with its log."""
    with pytest.raises(ServerNotReady, match=r"Sleeper was not ready after 0.1 s; its log .* says"):
        sleeper.await_ready(lambda: False, deadline_s=0.1)


def test_says_when_the_guard_cannot_start(tmp_path: Path) -> None:
    """A guard that ends before it has a server is an error, too."""
    process = GuardedProcess(
        "Sleeper", ["true"], log=tmp_path / "log", env=os.environ, grace_s=1, shm_prefix="--"
    )
    with pytest.raises(ServerEnded, match="Sleeper ended with status 1"):
        process.start()
    process.stop()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_no_server_outlives_its_parent(number: signal.Signals, tmp_path: Path) -> None:
    """Whatever ends the parent ends the server."""
    body = (
        "import os, sys, time; from pathlib import Path;"
        "from cli.stack.process import GuardedProcess;"
        "sleep = [sys.executable, '-S', '-c', 'import time; time.sleep(600)'];"
        f"log = Path({str(tmp_path / 'log')!r});"
        "process = GuardedProcess('Sleeper', sleep, log=log, env=os.environ, grace_s=2);"
        "process.start(); print(process.pid, flush=True); time.sleep(600)"
    )
    parent = subprocess.Popen([sys.executable, "-c", body], cwd=_ROOT, stdout=subprocess.PIPE)
    assert parent.stdout is not None
    with parent.stdout as answer:
        server_pid = int(answer.readline())
    parent.send_signal(number)
    parent.wait()
    assert eventually(lambda: not runs(server_pid), within_s=60)


def test_prefers_what_the_log_calls_an_error(tmp_path: Path) -> None:
    """A line that begins with `error:` says more than the traceback after it."""
    body = "print('error: no weights'); print('At:'); print('model.py(1)'); raise SystemExit(1)"
    with _process(body, tmp_path / "log") as process:
        assert eventually(lambda: process.status() is not None, within_s=60)
        assert process.last_lines() == "error: no weights"
