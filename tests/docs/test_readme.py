"""The README's commands do what it says that they print."""

import os
import re
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import pytest

from cli.stack.process import LOOPBACK, free_ports
from tests.docs.readme import README, Block, blocks, shape

LIMIT_S = 400
_API = "127.0.0.1:8080"
"""Where the README's API answers; the test's takes a free port."""


@pytest.fixture
def environment(triton_env: Path) -> dict[str, str]:
    """What a person's shell has after `export PATH=$PWD/.venv/bin:$PATH`."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("NIGHTSHIFT_", "PREFECT_", "PYTHONPATH"))
    }
    binaries = Path(sys.executable).parent
    return {
        **kept,
        "PATH": f"{binaries}{os.pathsep}{kept['PATH']}",
        "NIGHTSHIFT_TRITON_ENV": str(triton_env.absolute()),
        "PYTHONPATH": str(README.parent),
    }


def run(
    command: str, folder: Path, environment: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run a line of shell; what it prints on both channels is in `stdout`."""
    return subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )


def run_lines(block: Block, folder: Path, environment: dict[str, str]) -> str:
    """Run each line of a block; return all that they print."""
    printed = ""
    for line in block.text.splitlines():
        ended = run(line, folder, environment)
        assert (ended.returncode != 0) == block.mark.endswith("fails"), ended.stdout
        printed += ended.stdout
    return printed


class Servers:
    """A command that runs until Ctrl-C; a context manager."""

    def __init__(self, command: str, folder: Path, environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            command.split(),
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.printed = ""
        """What it had printed when it said that Ctrl-C ends it."""

    def __enter__(self) -> Self:
        assert self._process.stdout is not None
        while "Ctrl-C" not in self.printed:
            line = self._process.stdout.readline()
            assert line, f"it ended: {self.printed}"
            self.printed += line
        return self

    def settings(self) -> dict[str, str]:
        """Return the variables that it says are to be exported."""
        exported = re.findall(r"^export (\w+)=(\S+)$", self.printed, re.MULTILINE)
        assert [name for name, _ in exported] == ["NIGHTSHIFT_TRITON_URLS", "PREFECT_API_URL"]
        return dict(exported)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._process.send_signal(signal.SIGINT)
        rest, _none = self._process.communicate(timeout=LIMIT_S)
        if kind is None:
            assert self._process.returncode == 0, rest
            assert rest.endswith("stopped\n")


def run_script(script: Path, environment: dict[str, str]) -> str:
    """Run a script in its folder; return what it prints."""
    ended = run(f"python {script.name}", script.parent, environment)
    assert ended.returncode == 0, ended.stdout
    return ended.stdout


@pytest.mark.timeout(1200)
def test_the_worked_example_prints_what_the_readme_shows(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    """The model and dataset of one's own are registered, scored and managed as shown."""
    with ExitStack() as running:
        reader = Reader(tmp_path, environment, running)
        for block in blocks():
            if block.needs_up:
                continue  # tests/docs/test_up.py runs them
            if not block.mark.startswith("printed"):
                reader.follow(block)
            elif not block.mark.startswith("printed by"):
                last = block.mark.endswith("last line")
                printed = reader.printed.splitlines()[-1] if last else reader.printed
                assert shape(printed, folder=tmp_path) == shape(block.text, folder=tmp_path)


class Reader:
    """Somebody who does what the README says, in one folder."""

    def __init__(self, folder: Path, environment: dict[str, str], running: ExitStack) -> None:
        self._folder = folder
        self._environment = environment
        self._running = running
        self._exported: dict[str, str] = {}
        self._api = _API
        self._terminal = ""
        self.printed = ""
        """What the last block printed."""

    def follow(self, block: Block) -> None:
        """Do what the block's mark says."""
        folder, environment = self._folder, self._environment
        match block.mark.split(": "):
            case ["run", script]:
                (folder / script).write_text(block.text)
            case ["run there", script]:
                (folder / script).write_text(block.text)
                self.printed = run_script(folder / script, environment | self._exported)
            case ["run until Ctrl-C"]:
                servers = self._running.enter_context(Servers(block.text, folder, environment))
                self.printed, self._exported = servers.printed, servers.settings()
            case ["serve"]:
                (port,) = free_ports(1)
                self._api = f"{LOOPBACK}:{port}"
                command = f"{block.text} --port {port}"
                self._running.enter_context(Servers(command, folder, environment))
            case ["run with the API"]:
                self.printed = self._with_the_api(block.text)
            case ["run with the API", script]:
                (folder / script).write_text(block.text.replace(_API, self._api))
                self.printed = self._with_the_api(f"python {script}")
            case ["run" | "run, fails"]:
                self.printed = run_lines(block, folder, environment)
            case _:
                raise AssertionError(f"nobody knows what to do with {block.mark}")

    def _with_the_api(self, text: str) -> str:
        """Run a block in the terminal that talks to the API; what it exports stays."""
        text = text.replace(_API, self._api)
        ended = run(f"set -e\n{self._terminal}{text}", self._folder, self._environment)
        assert ended.returncode == 0, ended.stdout
        self._terminal += "".join(re.findall(r"^export .*\n", text, re.MULTILINE))
        return ended.stdout


@pytest.mark.timeout(900)
def test_the_demo_prints_what_the_readme_shows(tmp_path: Path, environment: dict[str, str]) -> None:
    """`nightshift demo` in an empty folder prints the README's block."""
    (block,) = [block for block in blocks() if block.mark == "printed by: nightshift demo"]
    ended = run("nightshift demo", tmp_path, environment)
    assert ended.returncode == 0, ended.stdout
    assert shape(ended.stdout, folder=tmp_path) == shape(block.text, folder=tmp_path)
