"""Describe *embed*: 384 floats come back for each row, so that the answers weigh."""

from pathlib import Path

import numpy as np

from benchmarks.workloads.features import WIDTH, as_lists, from_lists, served
from benchmarks.workloads.workload import Workload

NAME = "embed"
_OUTPUT_WIDTH = 384


def workload(folder: Path) -> Workload:
    """Describe it; nothing has to be kept in `folder`."""
    del folder
    count = WIDTH * _OUTPUT_WIDTH
    weights = (np.sin(np.arange(count)) / 8).astype(np.float32).reshape(WIDTH, _OUTPUT_WIDTH)
    return Workload(
        name=NAME,
        about="the rows of *wide*; a 64→384 linear model, whose answers are fixed-size lists",
        rows=250_000,
        columns=("features",),
        input="features",
        datatype="FP32",
        width=WIDTH,
        output="embedding",
        output_width=_OUTPUT_WIDTH,
        tolerance=1e-4,
        tables=as_lists,
        model=lambda: served(NAME),
        oracle=lambda table: from_lists(table) @ weights,
    )
