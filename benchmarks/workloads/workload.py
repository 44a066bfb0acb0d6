"""Describe a workload: a dataset, a model, and what must come out."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks.cases.task import Task

Answers = np.ndarray[Any, np.dtype[np.float32]]


@dataclass(frozen=True, slots=True)
class Model:
    """What Triton serves."""

    repository: Path
    """Model repository that holds it."""
    name: str
    """Its name there, and in the registry."""


@dataclass(frozen=True, slots=True)
class Workload:
    """One thing to score; every case of it scores the same files with the same model."""

    name: str
    """As `make bench WORKLOAD=` takes it."""
    about: str
    """What is scored, for the table's readers."""
    rows: int
    """Rows of the dataset: such that a good case takes seconds, and a slow one no minutes."""
    columns: tuple[str, ...]
    """Columns that feed the input, in order."""
    input: str
    """The model's input, [rows, width]."""
    datatype: str
    """Its datatype: FP32 or BYTES."""
    width: int
    """Values in a row of the input."""
    output: str
    """The model's output, FP32[rows, output_width]."""
    output_width: int
    """Values in a row of the output."""
    tolerance: float
    """Largest difference from the oracle that sums of floats in another order may make, absolute
    and relative."""
    tables: Callable[[int], Iterator[pa.Table]]
    """Give the dataset of so many rows, one table for each file: `id` from 0 up, the columns."""
    model: Callable[[], Model]
    """Make the model, if need be."""
    oracle: Callable[[pa.Table], Answers]
    """Score a table without Triton: [rows, output_width]."""

    def task(
        self,
        dataset: str,
        output: str,
        *,
        http_url: str,
        grpc_url: str,
        knobs: Mapping[str, int],
    ) -> Task:
        """Say what a case is to score, and where the scores go."""
        return Task(
            dataset=dataset,
            output=output,
            model=self.name,
            columns=self.columns,
            input=self.input,
            datatype=self.datatype,
            width=self.width,
            output_name=self.output,
            output_width=self.output_width,
            http_url=http_url.removeprefix("http://"),
            grpc_url=grpc_url.removeprefix("grpc://"),
            knobs=knobs,
        )
