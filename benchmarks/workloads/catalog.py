"""List the workloads."""

from pathlib import Path

from benchmarks.workloads import columns, embed, flights, text, wide
from benchmarks.workloads.workload import Workload


def workloads(folder: Path) -> dict[str, Workload]:
    """Describe each by its name; those that make something keep it in `folder`."""
    described = [module.workload(folder) for module in (wide, columns, flights, text, embed)]
    return {workload.name: workload for workload in described}
