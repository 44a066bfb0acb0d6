"""Schemathesis asks every operation everything that its description allows, and what it forbids."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from cli.stack.process import LOOPBACK, GuardedProcess, free_ports
from cli.stack.triton import LocalTriton
from tests.api import tokens
from tests.chaos.seeds import Chaos
from tests.conftest import ROOT

CONFIG = Path(__file__).with_name("schemathesis.toml")
SAMPLE_S = 5
LONG_S = 600
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "use_after_free",
    "unsupported_method",
)
"""Not `ensure_resource_availability`: a create that is repeated under its key is answered as the
first time, also when what it created was deleted since."""


@pytest.mark.chaos
@pytest.mark.triton
@pytest.mark.timeout(LONG_S + 400)
def test_nothing_that_is_asked_is_a_fault(
    chaos: Chaos, postgres_url: str, triton: LocalTriton, tmp_path: Path
) -> None:
    """All phases against real servers: no answer is 500 or above, or differs from its shape."""
    (port,) = free_ports(1)
    environment = os.environ | {
        "NIGHTSHIFT_API_PORT": str(port),
        "NIGHTSHIFT_API_DRAIN_NOTICE_S": "0",
        "NIGHTSHIFT_DATABASE_URL": postgres_url,
        "NIGHTSHIFT_DATA_DIR": str(tmp_path),
        "NIGHTSHIFT_ENVIRONMENT": "production",
        "NIGHTSHIFT_JWT_SECRET": tokens.SECRET,
        "NIGHTSHIFT_QUOTA_SUBJECT": "none",
        "NIGHTSHIFT_QUOTA_ADDRESS": "none",
        "NIGHTSHIFT_TRITON_URLS": triton.grpc_url,
        "PYTHONPATH": str(ROOT),
    }
    command: list[str | Path] = [sys.executable, "-m", "cli.main", "serve"]
    log = tmp_path / "log"
    api = GuardedProcess("the API", command, log=log, env=environment, grace_s=5)
    api.start()
    try:
        seconds = chaos.count(LONG_S, sample=SAMPLE_S)
        ended = _asked(f"http://{LOOPBACK}:{port}", seconds, chaos, tmp_path)
    finally:
        api.stop()
    assert ended.returncode == 0, ended.stdout
    (generated,) = re.findall(r"([\d,]+) generated", ended.stdout)
    chaos.tell(f"{generated} requests in {seconds} s")


def _asked(url: str, seconds: int, chaos: Chaos, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run all phases, each as long as the time for all allows."""
    command: list[str | Path] = [
        Path(sys.executable).with_name("schemathesis"),
        f"--config-file={CONFIG}",
        "run",
        f"{url}/openapi.json",
        "--wait-for-schema=300",
        f"--header=Authorization: {tokens.bearer()['Authorization']}",
        f"--checks={','.join(CHECKS)}",
        "--phases=examples,coverage,fuzzing,stateful",
        f"--max-time={seconds}",
        f"--seed={chaos.seed}",
        "--request-timeout=60",
        "--continue-on-failure",
        "--no-color",
    ]
    return subprocess.run(
        command,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=seconds + 300,
        check=False,
    )
