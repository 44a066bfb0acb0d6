"""Read and decode the columns that scoring needs, on all cores, and throw them away.

`python -m benchmarks.cases.read_ceiling TASK`, in the platform's environment. One thread a core
takes row group after row group; Arrow's own threads, and its datasets, were slower.
"""

import os
import queue
import sys
import threading
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.cases.clock import timed
from benchmarks.cases.task import Task

Units = queue.SimpleQueue[tuple[Path, int]]


def main(task: Task) -> None:
    """Tell the seconds that reading takes."""
    if not task.knobs["mimalloc"] and "jemalloc" in pa.supported_memory_backends():
        pa.set_memory_pool(pa.jemalloc_memory_pool())
    with timed():
        units: Units = queue.SimpleQueue()
        for path in task.files:
            for group in range(pq.read_metadata(path).num_row_groups):
                units.put((path, group))
        threads = [
            threading.Thread(target=_read, args=(task, units)) for _ in range(os.cpu_count() or 1)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def _read(task: Task, units: Units) -> None:
    mapped = bool(task.knobs["memory_map"])
    rows = task.knobs["batch_rows"]
    while True:
        try:
            path, group = units.get_nowait()
        except queue.Empty:
            return
        with pq.ParquetFile(path, memory_map=mapped, pre_buffer=False) as file:
            batches = file.iter_batches(
                rows, row_groups=[group], columns=task.read_columns, use_threads=False
            )
            for _ in batches:
                pass


if __name__ == "__main__":
    main(Task.from_json(sys.argv[1]))
