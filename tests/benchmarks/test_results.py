"""Files appear whole."""

from pathlib import Path

import pytest

from benchmarks.results import replace_file


def test_a_file_is_replaced(tmp_path: Path) -> None:
    """Its folder is made; nothing else is left in it."""
    path = tmp_path / "results" / "wide.json"
    replace_file(path, "old")
    replace_file(path, "new")
    assert (path.read_text(), list(path.parent.iterdir())) == ("new", [path])


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    """The old text stays, without leftovers."""
    path = tmp_path / "wide.json"
    replace_file(path, "old")
    with pytest.raises(UnicodeEncodeError):
        replace_file(path, "\ud800")
    assert (path.read_text(), list(tmp_path.iterdir())) == ("old", [path])
