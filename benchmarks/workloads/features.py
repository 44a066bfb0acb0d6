"""Make rows of 64 random features for the workloads whose data plane is what is measured."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from benchmarks.workloads.workload import Model

WIDTH = 64
FILES = 8
_SEED = 1
_REPOSITORY = Path(__file__).parents[1] / "models"


def blocks(rows: int) -> Iterator[tuple[int, np.ndarray]]:
    """Give for each file its first `id` and its features, float32[rows of the file, 64]."""
    random = np.random.default_rng(_SEED)
    first = 0
    for number in range(FILES):
        stop = rows * (number + 1) // FILES
        yield first, random.standard_normal((stop - first, WIDTH), dtype=np.float32)
        first = stop


def as_lists(rows: int) -> Iterator[pa.Table]:
    """Give tables of `id` and `features`, a fixed-size list."""
    for first, values in blocks(rows):
        features = pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), WIDTH)
        yield pa.table({"id": np.arange(first, first + len(values)), "features": features})


def from_lists(table: pa.Table) -> np.ndarray:
    """Return the features of a table of lists, float32[rows, 64]."""
    column = table["features"].combine_chunks()
    return np.asarray(column.flatten().to_numpy()).reshape(-1, WIDTH)


def served(name: str) -> Model:
    """Name the model of that workload, which needs no making."""
    return Model(_REPOSITORY, name)
