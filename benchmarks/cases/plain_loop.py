"""Score a dataset as one would write it down: read, ask, write, batch after batch.

`python -m benchmarks.cases.plain_loop TASK`, in the peers' environment.
"""

import sys
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.cases.client import Client
from benchmarks.cases.clock import timed
from benchmarks.cases.columns import to_array, to_column
from benchmarks.cases.task import Task


def main(task: Task) -> None:
    """Write a file of scores for each file of the dataset; a first small one is not timed."""
    client = Client(task)
    with tempfile.TemporaryDirectory() as folder:
        _score_file(task, client, task.files[0], Path(folder) / "first.parquet")
    output = Path(task.output)
    output.mkdir(parents=True)
    with timed():
        for path in task.files:
            _score_file(task, client, path, output / path.name)


def _score_file(task: Task, client: Client, source: Path, target: Path) -> None:
    schema = pa.schema([("id", pa.int64()), (task.output_name, _type(task.output_width))])
    with pq.ParquetFile(source) as file, pq.ParquetWriter(target, schema, compression="zstd") as to:
        for batch in file.iter_batches(task.knobs["batch_rows"], columns=task.read_columns):
            columns = [batch.column(name) for name in task.columns]
            answer = client.ask(to_array(columns, datatype=task.datatype, width=task.width))
            scores = to_column(answer, task.output_width)
            to.write_table(pa.table([batch.column("id"), scores], schema=schema))


def _type(width: int) -> pa.DataType:
    return pa.float32() if width == 1 else pa.list_(pa.float32(), width)


if __name__ == "__main__":
    main(Task.from_json(sys.argv[1]))
