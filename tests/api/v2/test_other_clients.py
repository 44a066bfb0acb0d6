"""KServe's client and MLServer's codecs, unchanged, against the gateway.

Each in a process of its own: both bring descriptions of the protocol under the same names.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.api import tokens
from tests.api.v2.service import ROWS, Service, scores_of

SCRIPTS = Path(__file__).with_name("clients")


def told(script: str, service: Service, clients_packages: Path) -> dict[str, Any]:
    """Run a script against the service; return what it prints."""
    authorization = tokens.bearer()["Authorization"]
    ended = subprocess.run(
        [sys.executable, SCRIPTS / script, f"http://{service.address}", authorization],
        env={**os.environ, "PYTHONPATH": str(clients_packages)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    found: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return found


def test_kserves_client(service: Service, clients_packages: Path) -> None:
    """It infers with JSON and binary, and reads `error` of what is refused, by whomever."""
    found = told("kserve_rest.py", service, clients_packages)
    refusals = {name: found.pop(name) for name in ("no token", "misfit", "unknown")}
    scores = pytest.approx(scores_of(ROWS).ravel().tolist(), rel=1e-5)
    assert found == {
        "live": True,
        "ready": True,
        "model ready": True,
        "json": scores,
        "json version": found["json version"],
        "binary": scores,
        "binary version": found["json version"],
        "text": ["a", "é"],
    }
    assert "this path needs a token" in refusals["no token"]
    assert "no input 'other'; expected features FP32[-1, 64]" in refusals["misfit"]
    assert "unknown model 'absent'" in refusals["unknown"]


def test_mlservers_codecs(service: Service, clients_packages: Path) -> None:
    """Its types write null for what is not set, and parameters of their own."""
    found = told("mlserver_codecs.py", service, clients_packages)
    assert found == {
        "numbers": pytest.approx(scores_of(ROWS).ravel().tolist(), rel=1e-5),
        "version": found["version"],
        "text, bytes True": ["a", "é"],
        "text, bytes False": ["a", "é"],
        "metadata": "scores",
    }
