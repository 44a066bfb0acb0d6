"""The Makefile: what it asks of the machine, how much of the suite a run is."""

import subprocess

import pytest

from tests.conftest import ROOT


def _make(*words: str) -> tuple[int, str, str]:
    """Run make; return its status and what it writes."""
    run = subprocess.run(
        ["make", "--no-print-directory", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return run.returncode, run.stdout, run.stderr


@pytest.mark.parametrize("target", ["demo", "test", "lint"])
def test_an_interpreter_that_is_not_there_is_one_line(target: str) -> None:
    """It is named, with what to do; nothing is run."""
    status, out, errors = _make(target, "PYTHON=python9.9")
    assert (status, out) == (2, "")
    assert errors.count("\n") == 1
    assert errors.endswith(
        "*** no python9.9 on this machine: install Python 3.11 or later, or name it: "
        f"make {target} PYTHON=python3.11.  Stop.\n"
    )


def test_the_whole_suite_has_a_threshold_that_a_part_of_it_has_not() -> None:
    """Nine of ten lines of what scores are run by `make test`; one test alone cannot do that."""
    threshold = "--cov=flows --cov=inference --cov=registry --cov-report= --cov-fail-under=90"
    assert threshold in _make("--dry-run", "test")[1]
    assert "--cov" not in _make("--dry-run", "test", "PYTEST_ARGS=tests/inference -x")[1]
