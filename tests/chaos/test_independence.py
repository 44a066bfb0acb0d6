"""What judges an output must share no code with what writes one."""

import subprocess
import sys

import pytest

from tests.conftest import ROOT

PRODUCT = ("api", "cli", "flows", "inference", "registry", "telemetry")


JUDGES = ("checker", "objects", "oracle", "jobs.lake")
"""What reads an output, and what says which rows must be there."""


@pytest.mark.parametrize("judge", JUDGES)
def test_the_checker_imports_nothing_of_the_product(judge: str) -> None:
    """Neither directly nor through another module."""
    code = (
        f"import sys, tests.chaos.{judge}; "
        f"print([name for name in sys.modules if name.partition('.')[0] in {PRODUCT}])"
    )
    told = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert told.stdout == "[]\n"
