"""The commands of the API's page print what it shows."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from cli.stack.process import LOOPBACK, READY_DEADLINE_S, GuardedProcess, free_ports
from tests.conftest import ROOT
from tests.docs.readme import blocks

PAGE = ROOT / "docs" / "api.md"
_PORT = "8080"
"""Where the page's API answers; the test's takes a free port."""
_LIMIT_S = 100
_CUT = "- - -"
_VARYING = (
    (re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z"), "TIME"),
    (re.compile(r'"id":\d+'), '"id":N'),
    (re.compile(r'"next_cursor":"[^"]+"'), '"next_cursor":"…"'),
)


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """Where `nightshift serve` answers, on an empty registry, with nobody to serve a model."""
    (found,) = free_ports(1)
    environment = _kept() | {
        "NIGHTSHIFT_DATABASE_URL": f"sqlite:///{tmp_path / 'registry.db'}",
        "NIGHTSHIFT_DATA_DIR": str(tmp_path),
        "NIGHTSHIFT_TRITON_URLS": f"{LOOPBACK}:9",
        "PYTHONPATH": str(ROOT),
    }
    command: list[str | Path] = [sys.executable, "-m", "cli.main", "serve", "--port", str(found)]
    process = GuardedProcess("the API", command, log=tmp_path / "log", env=environment, grace_s=20)
    with process:
        process.await_ready(lambda: _lives(found), deadline_s=READY_DEADLINE_S)
        yield found


def _kept() -> dict[str, str]:
    own = ("NIGHTSHIFT_", "PREFECT_")
    return {name: value for name, value in os.environ.items() if not name.startswith(own)}


def _lives(port: int) -> bool:
    try:
        return httpx.get(f"http://{LOOPBACK}:{port}/health/live", timeout=2).status_code == 200
    except httpx.TransportError:
        return False


def _shape(printed: str) -> list[str]:
    for pattern, instead in _VARYING:
        printed = pattern.sub(instead, printed)
    return printed.split()


def test_the_page_prints_what_it_shows(port: int, tmp_path: Path) -> None:
    """Typed into one shell from first to last; times and cursors differ."""
    page = list(blocks(PAGE))
    typed = [block.text.replace(_PORT, str(port)) for block in page if block.mark == "run"]
    binaries = Path(sys.executable).parent
    environment = _kept() | {
        "PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
    }
    ended = subprocess.run(
        ["bash", "-e", "-c", f"echo {_CUT}\n".join(typed)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=_LIMIT_S,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    answers = iter(ended.stdout.split(f"{_CUT}\n"))
    last = ""
    shown = 0
    for block in page:
        if block.mark == "run":
            last = next(answers)
        else:
            shown += 1
            assert _shape(last) == _shape(block.text)
    assert shown == 2
