"""Describe *columns*: the same features as *wide*, in 64 plain columns."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from benchmarks.workloads.features import WIDTH, blocks, served
from benchmarks.workloads.wide import linear
from benchmarks.workloads.workload import Workload

NAME = "columns"
_COLUMNS = tuple(f"f{number:02d}" for number in range(WIDTH))


def workload(folder: Path) -> Workload:
    """Describe it; nothing has to be kept in `folder`."""
    del folder
    return Workload(
        name=NAME,
        about="`id` and 64 float32 columns, zstd, 8 files; the same linear model",
        rows=2_000_000,
        columns=_COLUMNS,
        input="features",
        datatype="FP32",
        width=WIDTH,
        output="score",
        output_width=1,
        tolerance=1e-4,
        tables=_tables,
        model=lambda: served(NAME),
        oracle=lambda table: linear(
            np.stack([table[name].to_numpy() for name in _COLUMNS], axis=1)
        ),
    )


def _tables(rows: int) -> Iterator[pa.Table]:
    for first, values in blocks(rows):
        ids = {"id": np.arange(first, first + len(values))}
        features = zip(_COLUMNS, np.ascontiguousarray(values.T), strict=True)
        yield pa.table(ids | dict(features))
