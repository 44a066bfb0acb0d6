"""Describe *flights*: the demo's gradient-boosted trees, real compute on real rows."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds

from benchmarks.workloads.features import FILES
from benchmarks.workloads.workload import Answers, Model, Workload
from cli.settings import LocalSettings
from cli.stack.repository import lay_out
from examples.flights.dataset import prepare
from examples.flights.train import FEATURES, OUTPUT, score, train

NAME = "flights"


def workload(folder: Path) -> Workload:
    """Describe it; the demo's dataset, its model and the model repository are kept in `folder`."""
    return Workload(
        name=NAME,
        about="the demo's flights that left, again and again, in small integers; its ONNX model "
        "of 100 gradient-boosted trees",
        rows=2_000_000,
        columns=FEATURES,
        input="features",
        datatype="FP32",
        width=len(FEATURES),
        output=OUTPUT,
        output_width=1,
        tolerance=0.0,
        tables=lambda rows: _tables(folder, rows),
        model=lambda: _model(folder),
        oracle=lambda table: _score(folder, table),
    )


def _tables(folder: Path, rows: int) -> Iterator[pa.Table]:
    """Repeat the flights that were not cancelled until there are `rows`."""
    made = prepare(folder / "lake")
    left = ds.dataset(made.root, format="parquet").to_table(columns=list(FEATURES)).drop_null()
    for number in range(FILES):
        ids = np.arange(rows * number // FILES, rows * (number + 1) // FILES)
        yield left.take(ids % left.num_rows).add_column(0, "id", pa.array(ids))


def _model(folder: Path) -> Model:
    repository = folder / "models"
    repository.mkdir(parents=True, exist_ok=True)
    lay_out(repository, NAME, _onnx(folder), version=1, env_dir=LocalSettings().triton_env_dir)
    return Model(repository, NAME)


def _onnx(folder: Path) -> Path:
    return train(prepare(folder / "lake").root, folder / "training").onnx


def _score(folder: Path, table: pa.Table) -> Answers:
    columns = [table[name].to_numpy().astype(np.float32) for name in FEATURES]
    return score(_onnx(folder).read_bytes(), np.stack(columns, axis=1))
