"""Wrong scores are found."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.checking import WrongScores, check, count_rows, expected
from tests.benchmarks.figures import small_workload

WANTED = np.array([[0.0], [2.0], [4.0], [6.0]], np.float32)


def scores(folder: Path, name: str, ids: list[int], values: object) -> None:
    """Write a file of scores."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"id": ids, "y": values}), path)


def test_right_scores_in_any_order_and_number_of_files(tmp_path: Path) -> None:
    """Files and folders that readers skip do not count."""
    scores(tmp_path, "b.parquet", [3, 0], pa.array([6.0, 0.0], pa.float32()))
    scores(tmp_path, "deep/a.parquet", [2, 1], pa.array([4.0, 2.0], pa.float32()))
    scores(tmp_path, "_quarantine/c.parquet", [7], [1.0])
    check(small_workload(), tmp_path, WANTED)
    assert count_rows(tmp_path) == 4


@pytest.mark.parametrize(
    ("ids", "values", "words"),
    [
        ([0, 1, 2, 3], [0.0, 2.0, 4.5, 6.0], "1 of 4 scores in a.parquet .* id 2 has .*4.5"),
        ([0, 1, 2, 3], [0.0, 2.0, float("nan"), 6.0], "1 of 4 scores"),
        ([0, 1, 2, 2], [0.0, 2.0, 4.0, 4.0], "1 of 4 ids are missing, 1 are there more than once"),
        ([0, 1, 2], [0.0, 2.0, 4.0], "1 of 4 ids are missing, 0"),
        ([0, 1, 2, 4], [0.0, 2.0, 4.0, 8.0], "an id that the dataset does not have"),
        ([0, 1, 2, -1], [0.0, 2.0, 4.0, 6.0], "an id that the dataset does not have"),
    ],
)
def test_wrong_scores(tmp_path: Path, ids: list[int], values: list[float], words: str) -> None:
    """A wrong score, a missing, doubled or unknown row."""
    scores(tmp_path, "a.parquet", ids, values)
    with pytest.raises(WrongScores, match=words):
        check(small_workload(), tmp_path, WANTED)


@pytest.mark.parametrize("kind", [pa.list_(pa.float32(), 2), pa.list_(pa.float32())])
def test_lists_of_scores(tmp_path: Path, kind: pa.DataType) -> None:
    """Fixed-size lists or lists, within the tolerance."""
    workload = small_workload(output_width=2, tolerance=1e-3)
    scores(tmp_path, "a.parquet", [1, 0], pa.array([[3.0, 4.0001], [1.0, 2.0]], kind))
    check(workload, tmp_path, np.array([[1, 2], [3, 4]], np.float32))
    with pytest.raises(WrongScores, match="2 of 2 scores"):
        check(workload, tmp_path, np.array([[1, 3], [3, 5]], np.float32))


def test_the_oracle_scores_the_files_in_order(tmp_path: Path) -> None:
    """The answers stand at their ids."""
    for name, values in (("1.parquet", [2.0, 3.0]), ("0.parquet", [0.0, 1.0])):
        pq.write_table(pa.table({"x": pa.array(values, pa.float32())}), tmp_path / name)
    assert expected(small_workload(), tmp_path).tolist() == WANTED.tolist()
