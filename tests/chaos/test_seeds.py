"""Chance is the same for the same seed, and a failure tells how to cause it again."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.chaos.seeds import SCALE, SEED, Chaos
from tests.conftest import ROOT

FAILING = """
import pytest

@pytest.mark.chaos
def test_fails(chaos):
    chaos.tell(f"{chaos.count(100, sample=3)} times, first {chaos.random().random()}")
    assert False
"""


def run(folder: Path, *options: str, **variables: str) -> str:
    """Run a failing test of chaos in a pytest of its own; returns what it prints."""
    (folder / "pytest.ini").write_text("[pytest]\nmarkers = chaos: sample\n")
    (folder / "test_failing.py").write_text(FAILING)
    environment = {name: value for name, value in os.environ.items() if name not in (SEED, SCALE)}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "tests.chaos.seeds", *options, "test_failing.py"],
        cwd=folder,
        env=environment
        | {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stdout


def lines(printed: str, part: str) -> set[str]:
    """Return the lines that hold `part`."""
    return {line for line in printed.splitlines() if part in line}


def test_seed_is_told_and_replays(tmp_path: Path) -> None:
    """The header has the seed; with it the same test meets the same chance, on a worker or not."""
    told = run(tmp_path, "-p", "xdist", "-n1", **{SCALE: "0.5"})
    (header,) = lines(told, "of long forms")
    seed = header.removeprefix(f"chaos: {SEED}=").partition(",")[0]
    again = f"make chaos SEED={seed} SCALE=0.5 PYTEST_ARGS='test_failing.py::test_fails'"
    assert lines(told, "PYTEST_ARGS") == {again}
    (figures,) = lines(told, "50 times, first")
    replayed = run(tmp_path, **{SCALE: "0.5", SEED: seed})
    assert lines(replayed, "50 times, first") == {figures}


def test_sample_is_told_and_replays(tmp_path: Path) -> None:
    """Without a scale the samples run, and a failure says how to have that sample again."""
    told = run(tmp_path, **{SEED: "7"})
    assert lines(told, f"{SEED}=7") == {
        f"chaos: {SEED}=7, samples",
        f"{SEED}=7 make test PYTEST_ARGS='test_failing.py::test_fails'",
    }


def test_counts_and_chance(request: pytest.FixtureRequest) -> None:
    """A scale shares out the long form; chance depends on the seed and on the test's name."""
    long, sample = Chaos(7, 0.1, request.node), Chaos(7, None, request.node)
    assert (long.count(200, sample=4), long.count(3, sample=4)) == (20, 1)
    assert sample.count(200, sample=4) == 4
    assert long.random().random() == sample.random().random()
    assert long.random().random() != Chaos(8, None, request.node).random().random()
    steps = [long.random(*numbers).random() for numbers in ((), (1,), (2,), (1, 2), (12,))]
    assert len(set(steps)) == len(steps)
    assert long.random(1, 2).random() == sample.random(1, 2).random()
