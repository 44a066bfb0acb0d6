"""Say what a job of `tests.chaos.scorer` must give, without the code that gives it."""

import pyarrow as pa

from tests.chaos.checker import Expected

FILES = {"month=1/a.parquet": 120, "month=2/a.parquet": 90}
"""Rows of each file; shards of 100, 20 and 90 rows, a tenth of which go to the quarantine."""


def expected() -> Expected:
    """Say what any version of the job must give."""
    rows = range(sum(FILES.values()))
    good = [row for row in rows if row % 10]
    bad = [row for row in rows if row % 10 == 0]
    return Expected(
        scored=pa.table({"id": good, "score": [float(row) for row in good]}),
        quarantined=pa.table(
            {
                "id": bad,
                "delay": pa.array([None] * len(bad), pa.float64()),
                "tail": [f"N{row}" for row in bad],
                "month": [1 if row < FILES["month=1/a.parquet"] else 2 for row in bad],
            }
        ),
        files=FILES,
    )
