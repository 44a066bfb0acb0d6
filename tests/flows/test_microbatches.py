"""Check how many rows a microbatch gets."""

from contextlib import closing
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flows.microbatches import Microbatch, MicrobatchReader, microbatch_size
from flows.settings import ScoringSettings
from flows.shards.dataset import open_dataset
from flows.shards.mapping import Mapping, compile_mapping
from flows.shards.planner import plan
from flows.shards.settings import S3Settings, ShardSettings
from flows.stopwatch import Stopwatch
from inference.shared_memory import Buffer
from registry.domain import Signature, TensorSpec

MIB = 1 << 20


def mapping(datatype: str, column: pa.DataType) -> Mapping:
    """One input of one value a row."""
    return compiled(TensorSpec("x", datatype, (-1, 1)), column)


NUMBER = TensorSpec("y", "FP32", (-1,))


def compiled(
    spec: TensorSpec, column: pa.DataType, *outputs: TensorSpec, kept: tuple[pa.Field, ...] = ()
) -> Mapping:
    """One input, fed by a column of its name; the answer is a number unless said."""
    return compile_mapping(
        Signature((spec,), outputs or (NUMBER,)),
        pa.schema([("x", column), *kept]),
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


def microbatches(folder: Path, mapping: Mapping) -> list[Microbatch]:
    """Read all of a dataset that is one shard."""
    settings = ScoringSettings(microbatch_bytes=MIB, microbatch_max_rows=1_024)
    dataset = open_dataset(str(folder), S3Settings(), ShardSettings())
    (shard,) = plan(dataset.input_files(mapping.read_columns), shard_rows=10**9, shard_bytes=2**40)
    size = microbatch_size(mapping, settings, max_batch_size=0, row_bytes=shard.bytes // shard.rows)
    reader = MicrobatchReader(dataset.store, shard, mapping, size=size, watch=Stopwatch())
    found = []
    with closing(reader):
        while (microbatch := reader.next(Buffer())) is not None:
            found.append(microbatch)
    return found


def test_small_row_groups_are_gathered(tmp_path: Path) -> None:
    """A request is filled across row groups, by whole record batches, until no more fits."""
    table = pa.table({"x": pa.array(range(5_000), pa.float32())})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=500)
    found = microbatches(tmp_path, mapping("FP32", pa.float32()))
    assert [(each.row_start, each.rows) for each in found] == [
        (start, 1_000) for start in range(0, 5_000, 1_000)
    ]
    values = [each.groups[0].encoded.inputs["x"] for each in found]
    assert np.concatenate(values).ravel().tolist() == list(range(5_000))


def test_repeated_texts_make_small_microbatches(tmp_path: Path) -> None:
    """Kept columns are bounded by the bytes that they take, and not by those of the file."""
    texts = pa.array(["t" * 16_384] * 5_000)
    table = pa.table({"x": pa.array(range(5_000), pa.float32()), "t": texts})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=5_000)
    number = TensorSpec("x", "FP32", (-1, 1))
    kept = (pa.field("t", pa.string()),)
    found = microbatches(tmp_path, compiled(number, pa.float32(), kept=kept))
    assert sum(each.rows for each in found) == 5_000
    assert max(each.groups[0].source.nbytes for each in found) <= 4 * MIB
    assert max(each.rows for each in found) > 100
