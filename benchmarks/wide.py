"""Make the workload *wide*: many rows of 64 float32 in a fixed-size list."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

ROWS = 2_000_000
FILES = 8
WIDTH = 64
MODEL = "wide"
_ROW_GROUP_ROWS = 62_500
_SEED = 1


def prepare(folder: Path) -> Path:
    """Write the dataset below `folder` unless it is there; returns its root.

    `id` int64, `features` fixed-size list of 64 float32, zstd, 8 files of 250,000 rows.
    """
    root = folder / MODEL
    complete = root / "_complete"
    if complete.exists():
        return root
    root.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(_SEED)
    rows = ROWS // FILES
    for number in range(FILES):
        values = random.standard_normal(rows * WIDTH, dtype=np.float32)
        table = pa.table(
            {
                "id": np.arange(number * rows, (number + 1) * rows),
                "features": pa.FixedSizeListArray.from_arrays(pa.array(values), WIDTH),
            }
        )
        pq.write_table(
            table,
            root / f"{number:02d}.parquet",
            compression="zstd",
            row_group_size=_ROW_GROUP_ROWS,
        )
    complete.touch()
    return root
