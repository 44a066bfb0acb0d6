"""A case is run and measured."""

import os
import sys
from pathlib import Path

import pytest

from benchmarks.measuring import CaseFailed, Run, run_case

_CASE = """
import sys, time
from benchmarks.cases.clock import timed
{before}
with timed() as told:
    end = time.process_time() + 0.2
    while time.process_time() < end:
        pass
    told["shards"] = 3
    {inside}
"""


def measured(folder: Path, *, before: str = "", inside: str = "", limit_s: float = 30.0) -> Run:
    """Run a case of a fifth of a second's work."""
    return run_case(
        "a case",
        [sys.executable, "-c", _CASE.format(before=before, inside=inside)],
        environment=os.environ,
        server_pid=os.getpid(),
        log=folder / "log",
        limit_s=limit_s,
    )


def test_a_case_may_tell_its_own_seconds(tmp_path: Path) -> None:
    """A ceiling tells those in which it sent."""
    assert measured(tmp_path, inside="told['seconds'] = 42.0").seconds == 42.0


def test_a_case_that_fails_is_told_in_its_own_words(tmp_path: Path) -> None:
    """The end of its log is the reason."""
    with pytest.raises(CaseFailed, match=r"a case ended without its figures .*: no data"):
        measured(tmp_path, inside="sys.exit('error: no data')")


def test_a_case_that_hangs_is_ended(tmp_path: Path) -> None:
    """The limit holds, and nothing of the case is left."""
    pid = tmp_path / "pid"
    note = f"open({str(pid)!r}, 'w').write(str(__import__('os').getpid()))"
    with pytest.raises(CaseFailed):
        measured(tmp_path, before=note, inside="time.sleep(60)", limit_s=1.5)
    assert not Path(f"/proc/{pid.read_text()}").exists()
