"""Decoding a model's outputs as columns."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from flows.shards.column_errors import WrongShape
from flows.shards.decode import decode
from inference.tensors import Array, datatype_of
from registry.domain import TensorSpec
from tests.flows.shards.columns import mapping, signature, spec

SCHEMA = pa.schema([("x", pa.float32())])


def decoded(output: TensorSpec, array: np.ndarray) -> pa.Array:
    """Decode one output; check that it is of the type the part's schema says."""
    compiled = mapping(signature(spec("x", "FP32"), outputs=[output]), SCHEMA, keep="none")
    (column,) = decode({output.name: array}, compiled)
    assert column.type == compiled.output_schema.field(output.name).type
    column.validate(full=True)
    return column


@pytest.mark.parametrize("row_shape", [(), (1,)])
def test_one_number_a_row_is_a_view(row_shape: tuple[int, ...]) -> None:
    """No byte is copied on the way to the writer."""
    array = np.arange(4, dtype=np.float32).reshape(4, *row_shape)
    column = decoded(spec("y", "FP32", *row_shape), array)
    assert column.to_pylist() == [0.0, 1.0, 2.0, 3.0]
    assert np.shares_memory(column.to_numpy(), array)


def test_a_row_of_numbers_is_a_fixed_size_list() -> None:
    """The values stay where they are."""
    array = np.arange(6, dtype=np.float16).reshape(2, 3)
    column = decoded(spec("y", "FP16", 3), array)
    assert column.to_pylist() == [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]
    assert np.shares_memory(column.flatten().to_numpy(), array)


def test_open_dimensions_are_lists() -> None:
    """Each answer may have its own size there, none included."""
    output = spec("y", "INT64", -1, 2)
    assert decoded(output, np.arange(8).reshape(2, 2, 2)).to_pylist() == [
        [[0, 1], [2, 3]],
        [[4, 5], [6, 7]],
    ]
    assert decoded(output, np.zeros((3, 0, 2), np.int64)).to_pylist() == [[], [], []]
    assert decoded(spec("y", "INT8", 2, -1), np.ones((1, 2, 3), np.int8)).to_pylist() == [
        [[1, 1, 1], [1, 1, 1]]
    ]


def test_bytes_are_binary() -> None:
    """Any byte is allowed; lists of them too."""
    array = np.array([b"\xff", b"", b"\0a"], dtype=object)
    assert decoded(spec("y", "BYTES", 1), array.reshape(3, 1)).to_pylist() == [b"\xff", b"", b"\0a"]
    assert decoded(spec("y", "BYTES", 3), array.reshape(1, 3)).to_pylist() == [array.tolist()]


def test_not_a_number_stays_one() -> None:
    """NaN is a value, not a null."""
    column = decoded(spec("y", "FP32"), np.array([np.nan, 1], np.float32))
    assert column.null_count == 0


def test_outputs_come_in_the_schemas_order() -> None:
    """Whatever order the server answers in; what was not asked for is left out."""
    outputs = [spec("a", "FP32"), spec("b", "INT8")]
    compiled = mapping(signature(spec("x", "FP32"), outputs=outputs), SCHEMA)
    answer: dict[str, Array] = {
        "c": np.zeros(1),
        "b": np.ones(1, np.int8),
        "a": np.zeros(1, np.float32),
    }
    assert [column.to_pylist() for column in decode(answer, compiled)] == [[0.0], [1]]


@pytest.mark.parametrize("shape", [(2, 4), (2,), (2, 3, 1)])
def test_an_answer_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    """It is never cut or joined to fit."""
    with pytest.raises(WrongShape, match=r"output y FP32\[-1, 3\] came as \[2"):
        decoded(spec("y", "FP32", 3), np.zeros(shape, np.float32))


@given(
    hnp.arrays(
        st.sampled_from(["?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"]),
        hnp.array_shapes(min_dims=1, max_dims=4, min_side=1, max_side=4),
    ),
    st.data(),
)
def test_every_value_comes_back(array: np.ndarray, data: st.DataObject) -> None:
    """Numbers of any type, dimensions open or not."""
    row_shape = [data.draw(st.sampled_from([-1, size])) for size in array.shape[1:]]
    rows = decoded(spec("y", datatype_of(array.dtype), *row_shape), array).to_pylist()
    nested = array.reshape(len(array)) if row_shape == [1] else array
    restored = np.array(rows, array.dtype)
    assert restored.shape == nested.shape
    assert np.array_equal(restored, nested, equal_nan=array.dtype.kind == "f")
