"""Cases and runs with round figures."""

from benchmarks.catalog import Case
from benchmarks.measuring import Run
from benchmarks.workloads.workload import Model, Workload

OURS = Case("nightshift", "Nightshift", "m", "ours", False)
LOOP = Case("loop", "plain loop", "m", "peer", True, ({"batch_rows": 4_096},))
DAFT = Case("daft", "Daft", "m", "peer", True, ({"batch_rows": 1}, {"batch_rows": 2}))
READ = Case("read", "reading", "m", "ceiling", False)
TRITON = Case("triton", "Triton", "m", "ceiling", True)


def run(seconds: float, *, rows: int | None = None, cpu_s: float = 1.0, peak: int = 10**6) -> Run:
    """A run that took so long."""
    return Run(seconds, rows, cpu_s, 0.5, peak, {})


def small_workload(**changes: object) -> Workload:
    """A workload of one column and one answer, which is twice the column."""
    fields: dict[str, object] = {
        "name": "small",
        "about": "one column",
        "rows": 10,
        "columns": ("x",),
        "input": "x",
        "datatype": "FP32",
        "width": 1,
        "output": "y",
        "output_width": 1,
        "tolerance": 0.0,
        "tables": lambda rows: iter(()),
        "model": lambda: Model(None, "small"),  # type: ignore[arg-type]  # not served here
        "oracle": lambda table: 2 * table["x"].to_numpy()[:, None],
    }
    return Workload(**(fields | changes))  # type: ignore[arg-type]  # fields by name
