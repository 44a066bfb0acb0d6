"""The README's commands do what it says that they print."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cli.servers import servers
from cli.settings import LocalSettings
from tests.docs.readme import README, Block, blocks, shape

LIMIT_S = 100


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


def run_with_servers(script: Path, environment: dict[str, str]) -> str:
    """Run a script with settings that name a Triton and a Prefect server; return what it prints."""
    folder = script.parent
    local = LocalSettings(
        data_dir=folder / ".nightshift", triton_env=Path(environment["NIGHTSHIFT_TRITON_ENV"])
    )
    models = [model.name for model in local.repository_dir.iterdir() if model.is_dir()]
    with servers(local, models=models):
        named = {k: v for k, v in os.environ.items() if k.startswith(("NIGHTSHIFT_", "PREFECT_"))}
        path = {"PYTHONPATH": str(README.parent)}
        ended = run(f"python {script.name}", folder, {**environment, **named, **path})
    assert ended.returncode == 0, ended.stdout
    return ended.stdout


@pytest.mark.timeout(300)
def test_the_worked_example_prints_what_the_readme_shows(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    """The model and dataset of one's own are registered and scored as shown."""
    printed = ""
    compared = 0
    for block in blocks():
        expected = shape(block.text, folder=tmp_path)
        match block.mark.split(", "):
            case [mark] if mark.startswith("run: "):
                (tmp_path / mark.removeprefix("run: ")).write_text(block.text)
            case [mark] if mark.startswith("run with servers: "):
                script = tmp_path / mark.removeprefix("run with servers: ")
                script.write_text(block.text)
                printed = run_with_servers(script, environment)
            case ["run", *_]:
                printed = run_lines(block, tmp_path, environment)
            case ["printed", "last line"]:
                assert shape(printed.splitlines()[-1], folder=tmp_path) == expected
                compared += 1
            case ["printed", *_]:
                assert shape(printed, folder=tmp_path) == expected
                compared += 1
    assert compared == 4


@pytest.mark.timeout(200)
def test_the_demo_prints_what_the_readme_shows(tmp_path: Path, environment: dict[str, str]) -> None:
    """`nightshift demo` in an empty folder prints the README's block."""
    (block,) = [block for block in blocks() if block.mark == "printed by: nightshift demo"]
    ended = run("nightshift demo", tmp_path, environment)
    assert ended.returncode == 0, ended.stdout
    assert shape(ended.stdout, folder=tmp_path) == shape(block.text, folder=tmp_path)
