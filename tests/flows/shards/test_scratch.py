"""A run's scratch files are its own for as long as it lives, and go when it is dead."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from flows.shards.scratch import ScratchFolder

ROOT = Path(__file__).parents[3]
HOLDING = """
import sys, time
from pathlib import Path
from flows.shards.scratch import ScratchFolder
scratch = ScratchFolder(Path(sys.argv[1]))
(scratch.path() / "half").write_bytes(b"x")
print(scratch.path(), flush=True)
time.sleep(60)
"""


def test_one_folder_until_it_is_cleared(tmp_path: Path) -> None:
    """Asked for twice it is the same; after `clear` it is a new one, and `top` comes and goes."""
    scratch = ScratchFolder(tmp_path / "top")
    first = scratch.path()
    assert first.is_dir()
    assert scratch.path() == first
    for _ in range(2):
        scratch.clear()
        assert not (tmp_path / "top").exists()
    assert scratch.path() != first
    scratch.clear()


def test_a_killed_process(tmp_path: Path) -> None:
    """Its folder is kept while it lives, and removed by the next `clear` once it was killed."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDING, str(tmp_path / "top")],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        theirs = Path(process.stdout.readline().strip())
        ScratchFolder(tmp_path / "top").clear()
        assert (theirs / "half").read_bytes() == b"x"
        process.kill()
    ScratchFolder(tmp_path / "top").clear()
    assert list(tmp_path.iterdir()) == []


def test_clearing_while_others_begin(tmp_path: Path) -> None:
    """Many runs that begin and end at once never take each other's folder."""

    def run(number: int) -> None:
        scratch = ScratchFolder(tmp_path / "top")
        for _ in range(30):
            file = scratch.path() / "file"
            file.write_bytes(b"%d" % number)
            assert file.read_bytes() == b"%d" % number
            scratch.clear()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(run, range(8)))
    assert list(tmp_path.iterdir()) == []


def test_a_top_that_cannot_be(tmp_path: Path) -> None:
    """A link to nowhere is an error, not an endless search; clearing it does nothing."""
    (tmp_path / "top").symlink_to(tmp_path / "nowhere")
    scratch = ScratchFolder(tmp_path / "top")
    with pytest.raises(FileNotFoundError, match="top"):
        scratch.path()
    scratch.clear()
