"""Encode, compress and write as many scores as the dataset has rows, on all cores.

`python -m benchmarks.cases.write_ceiling TASK`, in the platform's environment. The scores are
random floats that lie in memory; one thread a core writes file after file, one for each of the
dataset's.
"""

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.cases.clock import timed
from benchmarks.cases.columns import to_column
from benchmarks.cases.task import Task

_BLOCK_ROWS = 32_768
_SEED = 4


def main(task: Task) -> None:
    """Tell the seconds that writing takes."""
    rows = [pq.read_metadata(path).num_rows for path in task.files]
    random = np.random.default_rng(_SEED)
    values = random.standard_normal(_BLOCK_ROWS * task.output_width, dtype=np.float32)
    block = pa.record_batch(
        [np.arange(_BLOCK_ROWS), to_column(values, task.output_width)],
        names=["id", task.output_name],
    )
    output = Path(task.output)
    output.mkdir(parents=True)
    paths = [output / path.name for path in task.files]
    with timed(), ThreadPoolExecutor(os.cpu_count() or 1) as threads:
        list(threads.map(_write, paths, [block] * len(paths), rows))


def _write(path: Path, block: pa.RecordBatch, rows: int) -> None:
    options = {"compression": "zstd", "use_dictionary": False}
    with pq.ParquetWriter(path, block.schema, **options) as writer:
        for first in range(0, rows, _BLOCK_ROWS):
            writer.write_batch(block.slice(0, min(_BLOCK_ROWS, rows - first)))


if __name__ == "__main__":
    main(Task.from_json(sys.argv[1]))
