"""Check how many rows a microbatch gets."""

import pyarrow as pa
import pytest

from flows.microbatches import microbatch_size
from flows.settings import ScoringSettings
from flows.shards.mapping import Mapping, compile_mapping
from registry.domain import Signature, TensorSpec

MIB = 1 << 20


def mapping(datatype: str, column: pa.DataType) -> Mapping:
    """One input of one value a row."""
    return compiled(TensorSpec("x", datatype, (-1, 1)), column)


NUMBER = TensorSpec("y", "FP32", (-1,))


def compiled(spec: TensorSpec, column: pa.DataType, *outputs: TensorSpec) -> Mapping:
    """One input, fed by a column of its name; the answer is a number unless said."""
    return compile_mapping(
        Signature((spec,), outputs or (NUMBER,)),
        pa.schema([("x", column)]),
        pa.schema([]),
        columns={},
        keep="rest",
        rename={},
        casts=[],
        registered={},
    )


@pytest.mark.parametrize(
    ("row_bytes", "rows"),
    [(100, 32_768), (8_192, 1_024), (100_000, 64), (3 * MIB, 2), (900 * MIB, 1)],
)
def test_fat_texts_make_small_microbatches(row_bytes: int, rows: int) -> None:
    """The file tells how large a row is where the signature does not; one row always goes."""
    settings = ScoringSettings(microbatch_bytes=8 * MIB, microbatch_max_rows=32_768)
    texts = mapping("BYTES", pa.string())
    size = microbatch_size(texts, settings, max_batch_size=0, row_bytes=row_bytes)
    assert (size.rows, size.buffer_bytes) == (rows, 0)


def test_kept_columns_count_where_they_are_most_of_a_row() -> None:
    """A narrow input beside a fat column is read a few rows at a time."""
    settings = ScoringSettings(microbatch_bytes=8 * MIB, microbatch_max_rows=32_768)
    number = mapping("FP32", pa.float32())
    thin = microbatch_size(number, settings, max_batch_size=0, row_bytes=8)
    fat = microbatch_size(number, settings, max_batch_size=0, row_bytes=65_536)
    assert (thin.rows, fat.rows) == (32_768, 128)


def test_a_model_with_small_batches_gets_a_few_of_them() -> None:
    """A microbatch is at most eight requests."""
    number = mapping("FP32", pa.float32())
    size = microbatch_size(number, ScoringSettings(), max_batch_size=16, row_bytes=8)
    assert size.rows == 128


def test_a_microbatch_is_decoded_in_pieces_that_fit_a_cache() -> None:
    """Pieces are at most 2 MiB of inputs; where shapes vary, a microbatch is read at once."""
    wide = compiled(TensorSpec("x", "FP32", (-1, 64)), pa.list_(pa.float32(), 64))
    ragged = compiled(TensorSpec("x", "FP32", (-1, -1)), pa.list_(pa.float32()))
    settings = ScoringSettings(microbatch_bytes=8 * MIB, read_bytes=2 * MIB)
    size = microbatch_size(wide, settings, max_batch_size=0, row_bytes=256)
    assert (size.rows, size.read_rows) == (32_768, 8_192)
    size = microbatch_size(ragged, settings, max_batch_size=0, row_bytes=256)
    assert size.rows == size.read_rows


def test_wide_answers_make_small_microbatches() -> None:
    """An answer has the bytes that inputs may have; what the signature does not tell is short."""
    settings = ScoringSettings(microbatch_bytes=8 * MIB, microbatch_max_rows=32_768)
    number = TensorSpec("x", "FP32", (-1, 1))
    embedding, label = TensorSpec("e", "FP32", (-1, 384)), TensorSpec("l", "BYTES", (-1, 1))
    for outputs, rows in (((embedding,), 5_461), ((embedding, label), 4_681), ((label,), 32_768)):
        mapping = compiled(number, pa.float32(), *outputs)
        size = microbatch_size(mapping, settings, max_batch_size=0, row_bytes=4)
        assert size.rows == rows
