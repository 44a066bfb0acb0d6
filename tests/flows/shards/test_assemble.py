"""Assembling the columns of a part."""

import numpy as np
import pyarrow as pa

from flows.shards.assemble import assemble, narrow
from flows.shards.encode import Rejection, encode
from tests.flows.shards.columns import mapping, signature, spec

SOURCE = pa.record_batch(
    {
        "x": pa.array([1.0, None, 3.0, 4.0], pa.float32()),
        "id": pa.array([10, 11, 12, 13]),
        "carrier": pa.array(["AA", "UA", None, "DL"], pa.string_view()),
        "origin": pa.array(["JFK", "EWR", "JFK", "LGA"]).dictionary_encode(),
    }
)
PARTITIONS = pa.schema([("month", pa.int64()), ("region", pa.string())])


def test_a_parts_rows_are_the_accepted_ones_in_order() -> None:
    """Kept columns, then partition columns, then outputs."""
    compiled = mapping(signature(spec("x", "FP32", 1)), SOURCE.schema, PARTITIONS)
    partitions = {"month": 7, "region": None}
    accepted = encode(SOURCE, compiled, partitions=partitions).accepted
    left = narrow(accepted, np.array([True, True, False]))
    outputs = {"score": np.array([[0.25], [0.5]], np.float32)}
    assembled = assemble(SOURCE, left, partitions, outputs, compiled)
    assert assembled.columns.schema == compiled.output_schema
    assert assembled.columns.to_pylist() == [
        {"id": 10, "carrier": "AA", "origin": "JFK", "month": 7, "region": None, "score": 0.25},
        {"id": 12, "carrier": None, "origin": "JFK", "month": 7, "region": None, "score": 0.5},
    ]
    assert assembled.rejected == ()
    assert assembled.accepted.tolist() == left.tolist() == [True, False, True, False]


def test_nothing_is_filtered_when_every_row_is_accepted() -> None:
    """Kept columns are those that were read, uncopied."""
    compiled = mapping(signature(spec("id", "INT64")), SOURCE.schema, keep=["x"])
    outputs = {"score": np.zeros((4, 1), np.float32)}
    everything = np.ones(4, np.bool_)
    assert narrow(everything, everything) is everything
    columns = assemble(SOURCE, everything, {}, outputs, compiled).columns
    assert columns.column("x").buffers()[1].address == SOURCE.column("x").buffers()[1].address


def test_a_kept_column_is_written_as_the_schema_says() -> None:
    """A reader may hand out another index type for the same dictionary."""
    schema = pa.schema([("id", pa.int64()), ("origin", pa.dictionary(pa.int8(), pa.string()))])
    compiled = mapping(signature(spec("id", "INT64")), schema)
    outputs = {"score": np.zeros((4, 1), np.float32)}
    columns = assemble(SOURCE, np.ones(4, np.bool_), {}, outputs, compiled).columns
    assert columns.column("origin").type == pa.dictionary(pa.int8(), pa.string())


def test_text_that_is_not_utf8_rejects_its_row() -> None:
    """The other rows are written; the reason names the output."""
    outputs = [spec("label", "BYTES", 1), spec("top", "BYTES", 2)]
    compiled = mapping(
        signature(spec("id", "INT64"), outputs=outputs),
        SOURCE.schema,
        keep=["id"],
        text=["label", "top"],
    )
    answer = {
        "label": np.array([[b"caf\xc3\xa9"], [b"\xff"], [b"ok"]], dtype=object),
        "top": np.array([[b"a", b"b"], [b"\xfe", b"\xfe"], [b"c", b"\xfd"]], dtype=object),
    }
    accepted = np.array([True, False, True, True])
    assembled = assemble(SOURCE, accepted, {}, answer, compiled)
    assert assembled.columns.to_pylist() == [{"id": 10, "label": "café", "top": ["a", "b"]}]
    assert assembled.rejected == (
        Rejection(2, "text that is not UTF-8 in output label", r"b'\xff'"),
        Rejection(3, "text that is not UTF-8 in output top", r"b'\xfd'"),
    )
    assert assembled.accepted.tolist() == [True, False, False, False]


def test_no_row_at_all_gives_a_part_of_the_same_schema() -> None:
    """An empty microbatch is no special case."""
    compiled = mapping(
        signature(spec("id", "INT64"), outputs=[spec("label", "BYTES")]),
        SOURCE.schema,
        PARTITIONS,
        text=["label"],
    )
    outputs = {"label": np.empty(0, dtype=object)}
    nothing = np.zeros(4, np.bool_)
    assembled = assemble(SOURCE, nothing, {"month": 1, "region": "eu"}, outputs, compiled)
    assert assembled.columns.num_rows == 0
    assert assembled.columns.schema == compiled.output_schema
