"""The page of guarantees names the tests that there are."""

import re
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT

PAGE = ROOT / "docs" / "guarantees.md"
NAMED = re.compile(r"\b(tests/[\w/]+\.py)(?:::(test_\w+))?")


def named() -> set[tuple[str, str]]:
    """Return the files and tests that the page names; a file alone has no test."""
    return set(NAMED.findall(PAGE.read_text()))


def test_every_test_of_the_page_exists() -> None:
    """Under the name by which `PYTEST_ARGS` finds it."""
    missing = [
        f"{file}::{test}"
        for file, test in sorted(named())
        if f"def {test}" not in (ROOT / file).read_text()
    ]
    assert missing == []


def test_every_test_of_chaos_is_on_the_page() -> None:
    """Pytest itself says which tests bear the mark."""
    files = [
        str(path.relative_to(ROOT))
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        if "mark.chaos" in path.read_text() and path != Path(__file__)
    ]
    told = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-m", "chaos", *files],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    marked = set(NAMED.findall(told.stdout))
    assert len(marked) > 10
    assert sorted(marked - named()) == []


def test_every_module_of_the_page_exists() -> None:
    """A promise leads to the code that keeps it."""
    paths = set(re.findall(r"`((?:flows|inference|tests)/[\w/]+\.py)`", PAGE.read_text()))
    assert len(paths) > 5
    assert sorted(path for path in paths if not (ROOT / path).exists()) == []


def test_every_promise_has_a_row_of_what_was_seen() -> None:
    """And nothing was seen of a promise that is not made."""
    made, told = PAGE.read_text().split("## What was seen")
    promised = re.findall(r"^\| (\d+) \|", made, re.MULTILINE)
    assert promised == [str(number) for number in range(1, len(promised) + 1)]
    assert set(re.findall(r"^\| (\d+) \|", told, re.MULTILINE)) == set(promised)
