"""What judges an output must share no code with what writes one."""

import subprocess
import sys

from tests.conftest import ROOT

PRODUCT = ("api", "cli", "flows", "inference", "registry", "telemetry")


def test_the_checker_imports_nothing_of_the_product() -> None:
    """Neither directly nor through another module."""
    code = (
        "import sys, tests.chaos.checker, tests.chaos.objects; "
        f"print([name for name in sys.modules if name.partition('.')[0] in {PRODUCT}])"
    )
    told = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert told.stdout == "[]\n"
