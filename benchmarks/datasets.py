"""Make the datasets of the workloads, each once."""

import shutil
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq

from benchmarks.workloads.workload import Workload

_ROW_GROUP_ROWS = 62_500
"""Row groups of the size that writers of 64 float32 a row commonly make: 16 MB."""
_SHOW_AFTER_S = 2.0


def prepare(workload: Workload, folder: Path, *, rows: int) -> Path:
    """Write the workload's dataset of so many rows below `folder` unless it is there.

    Returns its root. A dataset whose making was interrupted is made again.
    """
    root = folder / f"{workload.name}-{rows}"
    complete = root / "_complete"
    if complete.exists():
        return root
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    started = time.monotonic()
    written = 0
    for number, table in enumerate(workload.tables(rows)):
        path = root / f"{number:02d}.parquet"
        pq.write_table(table, path, compression="zstd", row_group_size=_ROW_GROUP_ROWS)
        written += table.num_rows
        if time.monotonic() - started > _SHOW_AFTER_S:
            print(f"  making {workload.name}: {written:,} of {rows:,} rows", flush=True)
    if written != rows:
        sys.exit(f"error: {workload.name} made {written:,} rows instead of {rows:,}")
    complete.touch()
    return root
