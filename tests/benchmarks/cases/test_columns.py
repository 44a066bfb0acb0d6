"""Columns become arrays, and answers columns."""

import numpy as np
import pyarrow as pa

from benchmarks.cases.columns import to_array, to_column


def test_a_column_of_lists_is_viewed() -> None:
    """Nothing is copied; a slice starts at its own first row."""
    values = pa.array(np.arange(8, dtype=np.float32))
    column = pa.FixedSizeListArray.from_arrays(values, 2).slice(1, 2)
    array = to_array([column], datatype="FP32", width=2)
    assert array.tolist() == [[2.0, 3.0], [4.0, 5.0]]
    assert array.ctypes.data == values.buffers()[1].address + 8


def test_columns_of_numbers_stand_side_by_side() -> None:
    """Small integers become float32."""
    columns = [pa.array([1, 2], pa.int8()), pa.array([300, 400], pa.int16())]
    array = to_array(columns, datatype="FP32", width=2)
    assert (array.dtype, array.tolist()) == (np.float32, [[1.0, 300.0], [2.0, 400.0]])


def test_texts_become_objects() -> None:
    """One text a row."""
    array = to_array([pa.array(["a", "ß"])], datatype="BYTES", width=1)
    assert (array.dtype, array.tolist()) == (np.dtype(object), [["a"], ["ß"]])


def test_answers_become_numbers_or_lists() -> None:
    """A width of 1 is a plain column."""
    answer = np.array([[1.0, 2.0], [3.0, 4.0]], np.float32)
    assert to_column(answer, 2) == pa.array([[1, 2], [3, 4]], pa.list_(pa.float32(), 2))
    assert to_column(answer[:, :1], 1) == pa.array([1, 3], pa.float32())
