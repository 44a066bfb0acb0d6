"""Sum up the repeats of a case."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.measuring import Run


@dataclass(frozen=True, slots=True)
class Summary:
    """One case over all repeats; medians where nothing else is said."""

    rows_per_s: float
    """Rows per second."""
    slowest: float
    """Rows per second of the slowest repeat."""
    fastest: float
    """Rows per second of the fastest repeat."""
    cpu_s: float
    """Processor time of the case, in seconds."""
    server_cpu_s: float
    """Processor time of Triton meanwhile, in seconds."""
    peak_bytes: int
    """Peak memory, the largest of the repeats."""


def summarize(runs: Sequence[Run], *, rows: int) -> Summary:
    """Sum up at least one run; `rows` is what a run handled that does not say so itself."""
    rates = [(run.rows or rows) / run.seconds for run in runs]
    return Summary(
        rows_per_s=statistics.median(rates),
        slowest=min(rates),
        fastest=max(rates),
        cpu_s=statistics.median(run.cpu_s for run in runs),
        server_cpu_s=statistics.median(run.server_cpu_s for run in runs),
        peak_bytes=max(run.peak_bytes for run in runs),
    )
