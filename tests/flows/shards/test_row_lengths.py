"""Splitting rows whose lists differ in length."""

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from flows.shards.encode import encode
from flows.shards.mapping import Mapping
from flows.shards.row_lengths import common_lengths, restore_order, split_by_length
from tests.flows.shards.columns import mapping, signature, spec

Rows = list[list[int | None] | None]


def tokens(rows: Rows) -> tuple[pa.RecordBatch, Mapping]:
    """A batch of token lists with the mapping of a model that takes any length."""
    batch = pa.record_batch({"tokens": pa.array(rows, pa.list_(pa.int64()))})
    return batch, mapping(signature(spec("tokens", "INT64", -1)), batch.schema)


def test_a_fixed_shape_needs_no_split() -> None:
    """Most models: one piece, nothing looked at."""
    batch = pa.record_batch({"x": pa.array([[1.0], [2.0, 3.0]], pa.list_(pa.float32()))})
    (rows,) = split_by_length(batch, mapping(signature(spec("x", "FP32", 2)), batch.schema))
    assert rows.tolist() == [0, 1]


def test_rows_are_split_by_length_the_most_first() -> None:
    """Rows that cannot be encoded anyway are among the first."""
    batch, compiled = tokens([[1], [2, 3], None, [4, 5], [], [6, None]])
    pieces = split_by_length(batch, compiled)
    assert [rows.tolist() for rows in pieces] == [[1, 2, 3, 4, 5], [0]]


def test_one_length_is_one_piece() -> None:
    """Nulls or empty lists do not make another."""
    assert [len(rows) for rows in split_by_length(*tokens([[1, 2], None, [], [3, 4]]))] == [4]
    assert [len(rows) for rows in split_by_length(*tokens([]))] == [0]
    assert [len(rows) for rows in split_by_length(*tokens([None, []]))] == [2]


def test_inputs_of_two_open_shapes_are_split_by_both() -> None:
    """Tokens with their mask: each combination of lengths by itself."""
    batch = pa.record_batch(
        {"ids": pa.array([[1], [2], [3, 4]]), "mask": pa.array([[1], [1, 1], [1, 1]])}
    )
    compiled = mapping(signature(spec("ids", "INT64", -1), spec("mask", "INT64", -1)), batch.schema)
    assert sorted(rows.tolist() for rows in split_by_length(batch, compiled)) == [[0], [1], [2]]


def test_nested_lists_are_split_by_the_lengths_at_each_level() -> None:
    """A row whose own lists differ is rejected by the encoder."""
    rows: list[list[list[int]] | None] = [
        [[1, 2]],
        [[1], [2]],
        [[3], [4]],
        None,
        [[5, 6]],
        [[1], [2, 3]],
        [[]],
    ]
    batch = pa.record_batch({"x": pa.array(rows, pa.list_(pa.list_(pa.int64())))})
    compiled = mapping(signature(spec("x", "INT64", -1, -1)), batch.schema)
    pieces = split_by_length(batch, compiled)
    assert [piece.tolist() for piece in pieces] == [[1, 2, 3, 5, 6], [0, 4]]
    first = encode(batch.take(pa.array(pieces[0])), compiled, partitions={})
    assert first.inputs["x"].tolist() == [[[1], [2]], [[3], [4]]]
    assert [rejection.reason for rejection in first.rejected] == [
        "null in x",
        "list of 2 values in x, 1 expected",
        "list of 1 values in x, 2 expected",
    ]
    assert common_lengths(batch.column("x"), (-1, -1)) is None


def test_pieces_come_back_in_the_order_of_the_batch() -> None:
    """Row order inside a part is the input's."""
    batch = pa.record_batch({"row": pa.array([0, 1, 2, 3, 4])})
    pieces = [np.array([1, 3, 4]), np.array([0])]
    restored = restore_order([(batch.take(pa.array(piece)), piece) for piece in pieces])
    assert restored.column("row").to_pylist() == [0, 1, 3, 4]
    assert restore_order([(batch, np.arange(5))]) is batch


@given(st.lists(st.none() | st.lists(st.none() | st.integers(0, 9), max_size=3), max_size=15))
def test_every_row_is_in_one_piece_that_can_be_encoded(rows: Rows) -> None:
    """Nothing is lost, nothing is doubled, and only nulls or empty lists are rejected."""
    batch, compiled = tokens(rows)
    pieces = split_by_length(batch, compiled)
    assert sorted(np.concatenate(pieces).tolist()) == list(range(len(rows)))
    accepted: dict[int, list[int]] = {}
    for piece in pieces:
        answer = encode(batch.take(pa.array(piece)), compiled, partitions={})
        accepted.update(
            zip(piece[answer.accepted].tolist(), answer.inputs["tokens"].tolist(), strict=True)
        )
    assert accepted == {
        row: values for row, values in enumerate(rows) if values and None not in values
    }
