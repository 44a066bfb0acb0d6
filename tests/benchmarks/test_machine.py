"""Figures name the commit that they were measured at."""

import subprocess
from pathlib import Path

from benchmarks.machine import commit


def git(folder: Path, *arguments: str) -> str:
    """Run git as somebody."""
    who = ["-c", "user.name=A", "-c", "user.email=a@b.c"]
    asked = ["git", "-C", str(folder), *who, *arguments]
    return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()


def test_a_checkout_has_a_commit(tmp_path: Path) -> None:
    """It is marked when a file differs, but not for the tables that runs write themselves."""
    page = tmp_path / "benchmarks" / "README.md"
    page.parent.mkdir()
    page.write_text("old")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "Begin")
    page.write_text("new")
    name = git(tmp_path, "rev-parse", "--short", "HEAD")
    assert commit(page.parent) == {"commit": name}
    (tmp_path / "more.py").touch()
    assert commit(page.parent) == {"commit": f"{name}+"}


def test_elsewhere_there_is_none(tmp_path: Path) -> None:
    """A folder outside of git tells nothing."""
    assert commit(tmp_path) == {}
