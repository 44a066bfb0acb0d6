"""Make large datasets that take little disk."""

import os
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.workloads.features import WIDTH, as_lists

_SEED = 3
_TINY_ROWS = 10
_BLOCK_ROWS = 250_000


def repeated(dataset: Path, root: Path, *, times: int) -> Path:
    """Give the dataset's files so many names below `root`, which take no room; returns `root`.

    The names are hard links: a reader sees that many files with the same rows.
    """
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    for number in range(times):
        for path in dataset.glob("*.parquet"):
            os.link(path, root / f"{number:03d}-{path.name}")
    return root


def tiny_file(path: Path) -> Path:
    """Write a file of ten rows in one row group, with the columns of *wide*."""
    table = pa.concat_tables(as_lists(_TINY_ROWS)).combine_chunks()
    pq.write_table(table, path, compression="zstd")
    return path


def tiny_files(folder: Path, *, count: int) -> Path:
    """Give a tiny file so many names; returns their folder."""
    root = folder / f"tiny-{count}"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    first = tiny_file(root / f"{0:05d}.parquet")
    for number in range(1, count):
        os.link(first, root / f"{number:05d}.parquet")
    return root


def one_group(folder: Path, *, total_bytes: int) -> Path:
    """Write one file with one row group of so many bytes of features; returns its folder."""
    root = folder / "one-group"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    rows = total_bytes // (WIDTH * 4)
    random = np.random.default_rng(_SEED)
    schema = pa.schema([("id", pa.int64()), ("features", pa.list_(pa.float32(), WIDTH))])
    with pq.ParquetWriter(root / "one.parquet", schema, compression="zstd") as writer:
        writer.write_table(_table(random, rows, schema), row_group_size=rows)
    return root


def _table(random: np.random.Generator, rows: int, schema: pa.Schema) -> pa.Table:
    """Make the whole row group; written in pieces it would become several."""
    batches = []
    for first in range(0, rows, _BLOCK_ROWS):
        count = min(_BLOCK_ROWS, rows - first)
        values = pa.array(random.standard_normal(count * WIDTH, dtype=np.float32))
        features = pa.FixedSizeListArray.from_arrays(values, WIDTH)
        ids = pa.array(np.arange(first, first + count))
        batches.append(pa.record_batch([ids, features], schema=schema))
    return pa.Table.from_batches(batches)
