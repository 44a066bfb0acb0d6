"""The commands for `nightshift up`, in its page and in the README, do what they say."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.up.identity import marked
from tests.cli.up.platforms import Site, site
from tests.conftest import ROOT
from tests.docs.readme import README, blocks

pytestmark = [pytest.mark.triton, pytest.mark.prefect, pytest.mark.slow, pytest.mark.timeout(900)]

PAGE = ROOT / "docs" / "up.md"


@pytest.fixture(scope="module")
def place(triton_env: Path) -> Iterator[Site]:
    """The platform that the page starts."""
    with site(triton_env) as made:
        started = made.up("--workers", "2", "--demo")
        assert started.returncode == 0, started.stdout + started.stderr
        yield made
        ended = made.run("down")
        assert (ended.returncode, ended.stdout) == (0, "stopped\n")
        assert marked(made.folder.secrets().mark) == []


def shell(place: Site, text: str) -> tuple[int, str]:
    """Run a block as in another terminal in the platform's folder; return how it ended."""
    outside = {k: v for k, v in os.environ.items() if not k.startswith(("NIGHTSHIFT_", "PREFECT_"))}
    binaries = Path(sys.executable).parent
    ended = subprocess.run(
        ["bash", "-c", f'set -e -o pipefail; eval "$(nightshift status --env)"\n{text}'],
        cwd=place.root,
        env={
            **outside,
            "PATH": f"{binaries}{os.pathsep}{outside['PATH']}",
            "PYTHONPATH": str(ROOT),
            "COLUMNS": "160",
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    return ended.returncode, ended.stdout


def states(printed: str) -> dict[str, str]:
    """Return what `nightshift status` says of Tritons and workers."""
    rows = [line.split("   ") for line in printed.splitlines()]
    cells = [[cell.strip() for cell in row if cell.strip()] for row in rows]
    return {row[0]: row[1] for row in cells if row and row[0].startswith(("Triton", "worker"))}


def test_the_page_of_up(place: Site) -> None:
    """A job three ways, one row, a worker killed: each command ends as the page says."""
    printed = []
    for block in blocks(PAGE):
        code, text = shell(place, block.text)
        assert (code != 0) == block.mark.endswith("fails"), text
        printed.append(text)
    by_command, three_ways, one_row, killed = printed
    assert "336,776 of 336,776" in by_command, by_command
    assert '"state":"' in three_ways.replace(": ", ":"), three_ways
    assert "Completed" in three_ways, three_ways
    assert '"model_name":"flights","model_version":"1"' in one_row, one_row
    assert "336,776 of 336,776" in killed, killed
    assert states(killed) == {
        "Triton 1": "running",
        "Triton 2": "running",
        "worker 1": "ended",
        "worker 2": "running",
    }


def test_a_servers_death(place: Site) -> None:
    """The other one answers, online and for a job; the README shows what is seen."""
    script, outcome, look, shown = (block for block in blocks(README) if block.needs_up)
    name = script.mark.partition(": ")[2]
    (place.root / name).write_text(script.text)
    code, printed = shell(place, f"python {name}")
    assert code == 0, printed
    counted = re.compile(r"\d+ answered, 0 failed\n")
    assert counted.fullmatch(outcome.text)
    assert counted.fullmatch(printed), printed
    code, printed = shell(place, look.text)
    assert code == 1
    told = {name: state for name, state in states(printed).items() if name.startswith("Triton")}
    assert told == states(shown.text) == {"Triton 1": "ended", "Triton 2": "running"}
    by_command, _three_ways, one_row, _killed = blocks(PAGE)
    for _ in range(5):
        code, answer = shell(place, one_row.text)
        assert (code, '"model_version":"1"' in answer) == (0, True), answer
    again = by_command.text.replace("s3://lake/scores/", "s3://lake/again/")
    code, answer = shell(place, again)
    assert (code, "336,776 of 336,776" in answer) == (0, True), answer
