"""Selecting rows of columns of any type."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from flows.shards.row_selection import filter_rows, take_batch, take_rows

VIEW = pa.string_view()

COLUMNS = [
    pa.array([1, None, 3, 4]),
    pa.array(["a", None, "c" * 20, "d"], VIEW),
    pa.array([b"a", b"", None, b"d"], pa.binary_view()),
    pa.array([["a"], None, ["b", "c"], []], pa.list_(VIEW)),
    pa.array([["a"], None, ["b"], ["c"]], pa.list_(VIEW, 1)),
    pa.array([{"q": "a"}, None, {"q": None}, {"q": "d"}], pa.struct([("q", VIEW)])),
    pa.array([[("a", 1)], [], None, [("d", 4)]], pa.map_(VIEW, pa.int8())),
]


@pytest.mark.parametrize("column", COLUMNS, ids=lambda column: str(column.type)[:20])
@pytest.mark.parametrize("rows", [[0, 1, 2, 3], [0, 2, 3], [1], [2], []])
def test_rows_are_filtered(column: pa.Array, rows: list[int]) -> None:
    """Also where Arrow has no kernel for the type, also in a slice."""
    sliced = pa.concat_arrays([column.slice(3), column]).slice(1)
    mask = np.isin(np.arange(4), rows)
    whole: list[Any] = column.to_pylist()
    selected = filter_rows(sliced, mask)
    assert selected.type == column.type
    assert selected.to_pylist() == [whole[row] for row in rows]


@pytest.mark.parametrize("column", COLUMNS, ids=lambda column: str(column.type)[:20])
@pytest.mark.parametrize("rows", [[3, 0, 1, 2], [2, 2, 3], []])
def test_rows_are_taken_in_the_order_asked_for(column: pa.Array, rows: list[int]) -> None:
    """Any order, any number of times."""
    whole: list[Any] = column.to_pylist()
    taken = take_rows(column, np.array(rows, np.int64))
    assert taken.to_pylist() == [whole[row] for row in rows]


def test_rows_of_a_whole_batch_are_taken() -> None:
    """Each column by the way that its type allows."""
    batch = pa.RecordBatch.from_arrays(COLUMNS, [f"c{k}" for k in range(len(COLUMNS))])
    taken = take_batch(batch, np.array([2, 0]))
    whole: list[Any] = batch.to_pylist()
    assert taken.to_pylist() == [whole[2], whole[0]]
