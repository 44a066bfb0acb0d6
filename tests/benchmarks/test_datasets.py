"""Datasets are made once."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.datasets import prepare
from tests.benchmarks.figures import small_workload


def tables(rows: int) -> Iterator[pa.Table]:
    """Two files, the second one empty."""
    yield pa.table({"id": range(rows)})
    yield pa.table({"id": pa.array([], pa.int64())})


def test_a_dataset_is_made_once(tmp_path: Path) -> None:
    """Its files stay as they are; another number of rows is another dataset."""
    workload = small_workload(tables=tables)
    root = prepare(workload, tmp_path, rows=5)
    made = root / "00.parquet"
    before = made.stat().st_mtime_ns
    assert (prepare(workload, tmp_path, rows=5), made.stat().st_mtime_ns) == (root, before)
    assert prepare(workload, tmp_path, rows=6) != root
    assert [pq.read_metadata(path).num_rows for path in sorted(root.glob("*.parquet"))] == [5, 0]


def test_an_interrupted_one_is_made_again(tmp_path: Path) -> None:
    """Files without the mark of completion are not trusted."""
    workload = small_workload(tables=tables)
    root = prepare(workload, tmp_path, rows=5)
    (root / "_complete").unlink()
    (root / "99.parquet").touch()
    prepare(workload, tmp_path, rows=5)
    assert sorted(path.name for path in root.iterdir()) == ["00.parquet", "01.parquet", "_complete"]


def test_a_wrong_number_of_rows_is_told(tmp_path: Path) -> None:
    """A workload that does not make what it says is a mistake of ours."""
    with pytest.raises(SystemExit, match="small made 0 rows instead of 5"):
        prepare(small_workload(), tmp_path, rows=5)
