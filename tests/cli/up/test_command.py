"""`nightshift up`, `status` and `down` where nothing has to be started."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cli.up.folder import UpFolder
from cli.up.identity import MARK, marked
from tests.cli.conftest import Command


def test_nothing_runs(command: Command, tmp_path: Path) -> None:
    """Both say so in one line, with what starts it, and leave nothing behind."""
    expected = f"error: nothing runs in {tmp_path}/.nightshift/up: start it with `nightshift up`\n"
    for words in (["status"], ["status", "--env"], ["down"]):
        result = command(*words)
        assert (result.exit_code, result.output) == (1, expected)
    assert list(tmp_path.iterdir()) == []


def test_a_second_up_is_refused(command: Command, tmp_path: Path) -> None:
    """In one line, before anything is started."""
    with UpFolder(tmp_path / ".nightshift" / "up").taken():
        result = command("up")
    assert (result.exit_code, result.output) == (
        1,
        f"error: a platform runs in {tmp_path}/.nightshift/up already: `nightshift status` shows "
        "it, `nightshift down` ends it\n",
    )


@pytest.mark.parametrize(("option", "name"), [("--port", "the API"), ("--prefect-port", "Prefect")])
def test_a_taken_port_is_named(command: Command, option: str, name: str) -> None:
    """Before anything is started."""
    with socket.socket() as taken, socket.socket() as other:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        other.bind(("127.0.0.1", 0))
        port, free = (each.getsockname()[1] for each in (taken, other))
        other.close()
        ports = {"--port": free, "--prefect-port": free, option: port}
        result = command("up", *(str(word) for pair in ports.items() for word in pair))
    assert (result.exit_code, result.output) == (
        1,
        f"error: port {port} for {name} is taken: end what uses it, or choose another port\n",
    )


def test_a_missing_environment_is_named(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without Triton there is one line that says what builds it."""
    monkeypatch.setenv("NIGHTSHIFT_TRITON_ENV", "nowhere")
    with socket.socket() as first, socket.socket() as second:
        for each in (first, second):
            each.bind(("127.0.0.1", 0))
        ports = [str(each.getsockname()[1]) for each in (first, second)]
    result = command("up", "--port", ports[0], "--prefect-port", ports[1])
    assert result.exit_code == 1
    assert result.output.startswith("error: no Triton in ")
    assert result.output.count("\n") == 1


def test_down_ends_what_a_killed_up_left(command: Command, tmp_path: Path) -> None:
    """What has the folder's mark is ended and counted; then nothing runs."""
    folder = UpFolder(tmp_path / ".nightshift" / "up")
    with folder.taken():
        mark = folder.secrets().mark
    sleeper = [sys.executable, "-S", "-c", "import time; time.sleep(600)"]
    with subprocess.Popen(sleeper, env={**os.environ, MARK: mark}) as left:
        while not marked(mark):  # it is there once its program is
            time.sleep(0.01)
        result = command("down")
        left.wait(timeout=60)
    assert (result.exit_code, result.output) == (0, "ended 1 process that an `up` had left\n")
    assert command("down").exit_code == 1
