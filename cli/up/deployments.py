"""Have Prefect's server know what can be run, once for each version of it."""

import hashlib
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from cli.up.errors import StepFailed
from cli.up.prefect_api import PrefectApi

_SOURCES = ("prefect.yaml", "deployments/**/*", "flows/*.py", "inference/jobs.py")
"""What decides a deployment, its parameters included."""
_LAST_LINES = 5


def deploy(checkout: Path, *, api_url: str, env: Mapping[str, str], mark: Path, log: Path) -> None:
    """Run `prefect deploy --all`, which takes seconds, unless the server has these already.

    `mark` says which it has. Raises `StepFailed`.
    """
    digest = _digest(checkout)
    with PrefectApi(api_url) as prefect:
        there = bool(prefect.deployments())
    if there and mark.exists() and mark.read_text() == digest:
        return
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as written:
        done = subprocess.run(
            [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"],
            cwd=checkout,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=written,
            stderr=subprocess.STDOUT,
            check=False,
            start_new_session=True,  # Ctrl-C is the supervisor's
        )
    if done.returncode:
        lines = [line.strip() for line in log.read_text(errors="replace").splitlines()]
        told = " | ".join([line for line in lines if line][-_LAST_LINES:])
        raise StepFailed("prefect deploy", log, told)
    mark.write_text(digest)


def _digest(checkout: Path) -> str:
    total = hashlib.sha256()
    files = sorted({file for pattern in _SOURCES for file in checkout.glob(pattern)})
    for file in files:
        if file.is_file():
            total.update(f"{file.relative_to(checkout)}\0".encode())
            total.update(hashlib.sha256(file.read_bytes()).digest())
    return total.hexdigest()
