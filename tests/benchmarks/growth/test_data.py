"""Large datasets that take little disk."""

from pathlib import Path

import pyarrow.parquet as pq

from benchmarks.growth.data import one_group, repeated, tiny_files


def test_a_dataset_several_times_over(tmp_path: Path) -> None:
    """The files are links, so that no bytes are copied."""
    (tmp_path / "one").mkdir()
    for name in ("a.parquet", "b.parquet", "_complete"):
        (tmp_path / "one" / name).touch()
    root = repeated(tmp_path / "one", tmp_path / "three", times=3)
    assert len(list(root.iterdir())) == 6
    assert {path.stat().st_nlink for path in root.iterdir()} == {4}


def test_many_tiny_files(tmp_path: Path) -> None:
    """Each is one row group of ten rows."""
    files = sorted(tiny_files(tmp_path, count=5).glob("*.parquet"))
    assert len(files) == 5
    found = pq.read_metadata(files[-1])
    assert (found.num_row_groups, found.num_rows) == (1, 10)


def test_one_row_group(tmp_path: Path) -> None:
    """All rows are in one row group, however many are made at a time."""
    root = one_group(tmp_path, total_bytes=300_000 * 256)
    found = pq.read_metadata(root / "one.parquet")
    assert (found.num_row_groups, found.num_rows) == (1, 300_000)
