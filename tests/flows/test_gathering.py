"""Check that inputs gathered piece by piece are those of the whole."""

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from flows.gathering import Gathering
from flows.shards.encode import encode
from flows.shards.mapping import Mapping, compile_mapping
from registry.domain import Signature, TensorSpec

SCHEMA = pa.schema(
    [
        ("x", pa.list_(pa.float32(), 2)),
        ("t", pa.string()),
        ("kept", pa.dictionary(pa.int32(), pa.string())),
    ]
)


def mapping() -> Mapping:
    """A numeric input, which memory is lent for, one of text, which it is not, a kept column."""
    return compile_mapping(
        Signature(
            (TensorSpec("x", "FP32", (-1, 2)), TensorSpec("t", "BYTES", (-1, 1))),
            (TensorSpec("y", "FP32", (-1,)),),
        ),
        SCHEMA,
        pa.schema([]),
        columns={},
        keep="rest",
        rename={},
        casts=[],
        registered={},
    )


def record_batch(rows: list[tuple[int | None, str | None]]) -> pa.RecordBatch:
    """Rows of a number and a text, either of which may be missing."""
    numbers = [None if number is None else [number, -number] for number, _ in rows]
    texts = [text for _, text in rows]
    kept = pa.array([f"k{text}" for text in texts]).dictionary_encode()
    return pa.record_batch(
        [pa.array(numbers, SCHEMA.field("x").type), pa.array(texts, pa.string()), kept],
        schema=SCHEMA,
    )


ROWS = st.lists(
    st.tuples(st.none() | st.integers(-9, 9), st.none() | st.sampled_from(["", "a", "bc"])),
    max_size=5,
)


@given(pieces=st.lists(ROWS, min_size=1, max_size=4))
def test_pieces_make_the_inputs_of_the_whole(
    pieces: list[list[tuple[int | None, str | None]]],
) -> None:
    """Inputs, rejected rows and kept columns are those of all rows encoded at once."""
    lent: list[np.ndarray] = []

    def allocate(_: str, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        lent.append(np.full(shape, -100, dtype))
        return lent[-1]

    gathering = Gathering(mapping(), {}, rows=20, allocate=allocate)
    for piece in pieces:
        gathering.add(record_batch(piece))
    whole = record_batch([row for piece in pieces for row in piece])
    expected = encode(whole, mapping(), partitions={})
    found = gathering.encoded()
    assert gathering.rows == whole.num_rows
    assert found.rejected == expected.rejected
    assert found.accepted.tolist() == expected.accepted.tolist()
    assert {name: array.tolist() for name, array in found.inputs.items()} == {
        name: array.tolist() for name, array in expected.inputs.items()
    }
    assert gathering.source().to_pylist() == whole.select(["kept"]).to_pylist()
    (memory,) = lent
    assert found.inputs["x"].flags.c_contiguous
    assert np.shares_memory(found.inputs["x"], memory) or not expected.rows
