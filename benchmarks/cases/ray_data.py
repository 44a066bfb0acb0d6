"""Score a dataset with Ray Data: `map_batches` with an actor pool of Triton clients.

`python -m benchmarks.cases.ray_data TASK`, in the peers' environment. Follows Ray Data's guides
"End-to-end: Offline Batch Inference" and "Performance Tips": a callable class, a pool of a fixed
size, only the needed columns, Arrow batches, which are not copied, and a fraction of a processor
for each actor, since most of its time is waiting.
"""

import logging
import os
import sys
import tempfile

import pyarrow as pa
import ray

from benchmarks.cases.client import Client
from benchmarks.cases.clock import timed
from benchmarks.cases.columns import to_array, to_column
from benchmarks.cases.task import Task


class Scorer:
    """An actor with a connection of its own."""

    def __init__(self, task_json: str) -> None:
        self._task = Task.from_json(task_json)
        self._client = Client(self._task)

    def __call__(self, batch: pa.Table) -> pa.Table:
        """Return `id` and the scores of a batch."""
        task = self._task
        columns = [batch[name].combine_chunks() for name in task.columns]
        answer = self._client.ask(to_array(columns, datatype=task.datatype, width=task.width))
        scores = to_column(answer, task.output_width)
        return pa.table({"id": batch["id"], task.output_name: scores})


def main(task: Task) -> None:
    """Write Parquet files of scores; Ray's own start and a first small file are not timed."""
    with tempfile.TemporaryDirectory() as folder:
        ray.init(
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            num_cpus=os.cpu_count(),
            _temp_dir=folder if len(folder) < 50 else None,
        )
        ray.data.DataContext.get_current().enable_progress_bars = False
        _score(task, [str(task.files[0])], f"{folder}/first")
        with timed():
            _score(task, [str(path) for path in task.files], task.output)
        ray.shutdown()


def _score(task: Task, files: list[str], output: str) -> None:
    actors = task.knobs["actors"]
    scored = ray.data.read_parquet(files, columns=task.read_columns).map_batches(
        Scorer,
        fn_constructor_args=[task.to_json()],
        batch_format="pyarrow",
        batch_size=task.knobs["batch_rows"],
        compute=ray.data.ActorPoolStrategy(size=actors),
        num_cpus=task.knobs["cpu_percent"] / 100,
        udf_modifying_row_count=False,
    )
    scored.write_parquet(output, compression="zstd")


if __name__ == "__main__":
    main(Task.from_json(sys.argv[1]))
