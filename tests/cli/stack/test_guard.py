"""The guard: a server's whole process group ends when its parent does."""

import os
import secrets
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cli.stack import guard
from tests.cli.stack.processes import eventually, regions, runs

_GUARD = Path(guard.__file__)
_SLEEPER = [sys.executable, "-S", "-c", "import time; time.sleep(600)"]
_DEAF = [
    sys.executable,
    "-S",
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True);"
    "time.sleep(600)",
]


class Guarded:
    """A guard that the test is the parent of."""

    def __init__(self, command: list[str], log: Path, *options: str) -> None:
        self.log = log
        with log.open("wb") as stderr:
            self.guard = subprocess.Popen(
                [sys.executable, "-S", "-E", _GUARD, *options, "--", *command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                start_new_session=True,
            )
        assert self.guard.stdout is not None
        with self.guard.stdout as answer:
            self.server_pid = int(answer.readline())

    def leave(self) -> int:
        """Do what the kernel does when the parent dies: close the pipe; return the status."""
        assert self.guard.stdin is not None
        self.guard.stdin.close()
        return self.guard.wait(60)

    def await_status(self) -> int:
        """Wait for the server to end by itself; return the status."""
        status = self.guard.wait(60)
        self.leave()
        return status


@pytest.mark.parametrize(
    ("body", "status"),
    [("pass", 0), ("raise SystemExit(3)", 3), ("import os; os.kill(os.getpid(), 9)", 137)],
)
def test_forwards_the_exit_status(body: str, status: int, tmp_path: Path) -> None:
    """The guard ends as the server ended."""
    guarded = Guarded([sys.executable, "-S", "-c", body], tmp_path / "log")
    assert guarded.await_status() == status


def test_writes_what_the_server_says_to_the_log(tmp_path: Path) -> None:
    """Standard output and standard error of the server are its log."""
    body = "import sys; print('out', flush=True); print('err', file=sys.stderr)"
    guarded = Guarded([sys.executable, "-S", "-c", body], tmp_path / "log")
    guarded.await_status()
    assert guarded.log.read_text() == "out\nerr\n"


def test_says_which_command_cannot_be_run(tmp_path: Path) -> None:
    """A missing program is status 127 with its name in the log."""
    guarded = Guarded(["/no/such/server"], tmp_path / "log")
    assert guarded.await_status() == 127
    assert guarded.log.read_text() == "cannot run /no/such/server: No such file or directory\n"


def test_ends_the_server_when_the_parent_leaves(tmp_path: Path) -> None:
    """The end of the pipe is a TERM to the server."""
    guarded = Guarded(_SLEEPER, tmp_path / "log")
    assert guarded.leave() == 128 + signal.SIGTERM
    assert not runs(guarded.server_pid)


def test_kills_a_server_that_ignores_term(tmp_path: Path) -> None:
    """After the grace comes KILL."""
    guarded = Guarded(_DEAF, tmp_path / "log", "--grace", "0.2")
    assert eventually(lambda: "deaf" in guarded.log.read_text(), within_s=60)
    assert guarded.leave() == 128 + signal.SIGKILL
    assert not runs(guarded.server_pid)


def test_ends_the_children_of_a_server_that_ended(tmp_path: Path) -> None:
    """What a crashed server leaves in its group is ended too."""
    body = (
        "import subprocess, sys;"
        f"child = subprocess.Popen({_DEAF!r}, stdout=subprocess.PIPE);"
        "child.stdout.readline();"
        "print(child.pid, flush=True); sys.exit(5)"
    )
    guarded = Guarded([sys.executable, "-c", body], tmp_path / "log", "--grace", "0.2")
    assert guarded.await_status() == 5
    assert not runs(int(guarded.log.read_text().splitlines()[-1]))


def test_ends_the_server_when_told_to_end(tmp_path: Path) -> None:
    """A TERM to the guard is a TERM to the server."""
    guarded = Guarded(_SLEEPER, tmp_path / "log")
    guarded.guard.terminate()
    assert guarded.await_status() == 128 + signal.SIGTERM
    assert not runs(guarded.server_pid)


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux's")
def test_takes_the_server_along_when_killed(tmp_path: Path) -> None:
    """Even a KILL of the guard leaves no server."""
    guarded = Guarded(_SLEEPER, tmp_path / "log")
    assert eventually(lambda: "time.sleep" in _arguments(guarded.server_pid), within_s=60)
    guarded.guard.kill()
    guarded.await_status()
    assert eventually(lambda: not runs(guarded.server_pid), within_s=60)


@pytest.mark.skipif(sys.platform != "linux", reason="/dev/shm is Linux's")
def test_removes_shared_memory_of_a_killed_server(tmp_path: Path) -> None:
    """Regions with the server's prefix go, others stay."""
    prefix = f"nightshift-test-{secrets.token_hex(4)}-"
    other = f"nightshift-other-{secrets.token_hex(4)}"
    guarded = Guarded(_SLEEPER, tmp_path / "log", "--shm-prefix", prefix)
    for name in (f"{prefix}a", f"{prefix}b", other):
        (Path("/dev/shm") / name).write_bytes(b"x")
    os.kill(guarded.server_pid, signal.SIGKILL)
    try:
        guarded.await_status()
        assert regions(prefix) == []
        assert regions(other) == [other]
    finally:
        (Path("/dev/shm") / other).unlink()


def _arguments(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
