"""Score a dataset with Spark: `predict_batch_udf`.

`python -m benchmarks.cases.spark_udf TASK`, in the peers' environment. Follows the reference of
`pyspark.ml.functions.predict_batch_udf`: a function makes the client once in each Python worker,
several columns of numbers are combined with `array`, lists are declared with their shape.
"""

import os
import sys
import tempfile
from collections.abc import Callable
from typing import Any

import numpy as np
from pyspark.ml.functions import predict_batch_udf
from pyspark.sql import Column, SparkSession
from pyspark.sql.functions import array, col
from pyspark.sql.types import ArrayType, FloatType

from benchmarks.cases.client import Client
from benchmarks.cases.clock import timed
from benchmarks.cases.task import Task


def main(task: Task) -> None:
    """Write Parquet files of scores; Spark's start and a first small file are not timed."""
    os.environ["PYSPARK_PYTHON"] = sys.executable
    rows = task.knobs["arrow_rows"]
    spark = (
        SparkSession.builder.master(f"local[{task.knobs['threads']}]")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.memory", "4g")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.sql.execution.arrow.maxRecordsPerBatch", str(rows))
        .config("spark.sql.parquet.compression.codec", "zstd")
        .config("spark.log.level", "ERROR")
        .getOrCreate()
    )
    with tempfile.TemporaryDirectory() as folder:
        _score(spark, task, [str(task.files[0])], f"{folder}/first")
    with timed():
        _score(spark, task, [str(path) for path in task.files], task.output)
    spark.stop()


def _score(spark: SparkSession, task: Task, files: list[str], output: str) -> None:
    number = FloatType()
    ask = predict_batch_udf(
        _maker(task.to_json()),
        return_type=number if task.output_width == 1 else ArrayType(number),
        batch_size=task.knobs["batch_rows"],
        input_tensor_shapes=None if task.datatype == "BYTES" else [[task.width]],
    )
    frame = spark.read.parquet(*files)
    frame.select("id", ask(_input(task)).alias(task.output_name)).write.parquet(output)


def _input(task: Task) -> Column:
    """Return one column for the model's one input."""
    if len(task.columns) == 1:
        return col(task.columns[0])
    return array(*(col(name).cast("float") for name in task.columns))


def _maker(task_json: str) -> Callable[[], Callable[[Any], Any]]:
    def make() -> Callable[[Any], Any]:
        task = Task.from_json(task_json)
        client = Client(task)

        def predict(inputs: np.ndarray) -> np.ndarray:
            if task.datatype == "BYTES":
                asked = inputs.astype(object).reshape(-1, 1)
            else:
                asked = inputs.astype(np.float32, copy=False)
            answer = client.ask(asked)
            return answer if task.output_width > 1 else answer.reshape(-1)

        return predict

    return make


if __name__ == "__main__":
    main(Task.from_json(sys.argv[1]))
