"""Score a dataset with Daft: a class UDF with a batch method.

`python -m benchmarks.cases.daft_udf TASK`, in the peers' environment. Follows Daft's guide
"Stateful Class UDFs with @daft.cls": a client is made once for each instance, the method takes
whole batches as `daft.Series`, which become Arrow arrays without a copy.
"""

import sys
import tempfile
import threading
from typing import Any

import daft
from daft import DataType, Series

from benchmarks.cases.client import Client
from benchmarks.cases.clock import timed
from benchmarks.cases.columns import to_array, to_column
from benchmarks.cases.task import Task


def main(task: Task) -> None:
    """Write Parquet files of scores; a first small file, which starts workers, is not timed."""
    daft.set_runner_native()
    with tempfile.TemporaryDirectory() as folder:
        _score(task, [str(task.files[0])], f"{folder}/first")
    with timed():
        _score(task, [str(path) for path in task.files], task.output)


def _score(task: Task, files: list[str], output: str) -> None:
    frame = daft.read_parquet(files)
    ask = _scorer(task)(task.to_json())
    scores = ask(*(frame[name] for name in task.columns))
    frame.select(frame["id"], scores.alias(task.output_name)).write_parquet(
        output, compression="zstd"
    )


def _scorer(task: Task) -> Any:
    """Return the UDF's method, made for one kind of answer and one size of batch."""
    number = DataType.float32()
    answer = (
        number if task.output_width == 1 else DataType.fixed_size_list(number, task.output_width)
    )
    processes = task.knobs["processes"]

    @daft.cls(use_process=processes > 0, max_concurrency=processes or None)
    class Scorer:
        """Asks Triton; with threads one instance serves several, each with its own connection."""

        def __init__(self, task_json: str) -> None:
            self._task = Task.from_json(task_json)
            self._own = threading.local()

        @daft.method.batch(  # type: ignore[untyped-decorator]  # no types of Daft here
            return_dtype=answer, batch_size=task.knobs["batch_rows"]
        )
        def ask(self, *series: Series) -> Any:
            """Return the scores of a batch."""
            task = self._task
            if not hasattr(self._own, "client"):
                self._own.client = Client(task)
            columns = [one.to_arrow() for one in series]
            array = to_array(columns, datatype=task.datatype, width=task.width)
            scores = self._own.client.ask(array)
            return Series.from_arrow(to_column(scores, task.output_width))

    return lambda task_json: Scorer(task_json).ask


if __name__ == "__main__":
    main(Task.from_json(sys.argv[1]))
