"""Part a job's seconds into what it costs once and what each row adds."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.growth.measures import Size


@dataclass(frozen=True, slots=True)
class Line:
    """The straight line through what jobs of several sizes took."""

    fixed_s: float
    """Seconds that a job costs however small it is."""
    us_per_row: float
    """Microseconds that each row adds."""
    residuals: tuple[float, ...]
    """By how much each size took longer than the line says, as a share of it."""


def fit(sizes: Sequence[Size]) -> Line:
    """Fit at least two sizes by least squares of the shares, so that small ones count as much."""
    rows = np.array([size.rows for size in sizes], np.float64)
    seconds = np.array([size.seconds for size in sizes], np.float64)
    slope, fixed = np.polyfit(rows, seconds, 1, w=1 / seconds)
    residuals = seconds / (fixed + slope * rows) - 1
    return Line(float(fixed), float(slope) * 1e6, tuple(float(one) for one in residuals))
