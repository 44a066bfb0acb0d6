"""Describe *wide*: 64 floats a row and next to no compute, so that the data plane shows."""

from pathlib import Path

import numpy as np

from benchmarks.workloads.features import WIDTH, as_lists, from_lists, served
from benchmarks.workloads.workload import Answers, Workload

NAME = "wide"


def workload(folder: Path) -> Workload:
    """Describe it; nothing has to be kept in `folder`."""
    del folder
    return Workload(
        name=NAME,
        about="`id` and 64 float32 in a fixed-size list, zstd, 8 files; a 64→1 linear model",
        rows=2_000_000,
        columns=("features",),
        input="features",
        datatype="FP32",
        width=WIDTH,
        output="score",
        output_width=1,
        tolerance=1e-4,
        tables=as_lists,
        model=lambda: served(NAME),
        oracle=lambda table: linear(from_lists(table)),
    )


def linear(features: np.ndarray) -> Answers:
    """Answer as benchmarks/models/wide and columns do: float32[rows, 1]."""
    return features @ np.linspace(-1.0, 1.0, WIDTH, dtype=np.float32)[:, None]
