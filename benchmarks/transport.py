"""Measure the ways in which a request's inputs can reach Triton."""

import statistics
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.catalog import Case
from benchmarks.measuring import Run
from benchmarks.running import Runner

_STOCK = "benchmarks.cases.transport_stock"
_CASES = {
    "HTTP, stock client": Case("http", "HTTP", _STOCK, "peer", True),
    "gRPC, stock client": Case("stock-grpc", "gRPC, stock client", _STOCK, "peer", True),
    "gRPC": Case("grpc", "gRPC", "benchmarks.cases.transport_ours", "ours", False),
    "shared memory": Case("shm", "shared memory", "benchmarks.cases.transport_ours", "ours", False),
}
_ROWS = (1_024, 8_192, 32_768)
_IN_FLIGHT = 3
_MILLISECONDS = 2_000


@dataclass(frozen=True, slots=True)
class Way:
    """One transport at one size of requests; medians over the repeats."""

    transport: str
    """HTTP, gRPC or shared memory, and whether by the stock client."""
    batch_rows: int
    """Rows of a request."""
    rows_per_s: float
    """Rows per second, from memory."""
    cpu_us_per_row: float
    """Processor time of the client for a row, in microseconds."""
    server_cpu_us_per_row: float
    """Processor time of Triton for a row, in microseconds."""


def measure(
    runner: Runner, *, repeats: int, say: Callable[[str], None], milliseconds: int = _MILLISECONDS
) -> list[Way]:
    """Try every way in alternation; raises `CaseFailed`."""
    runs: dict[tuple[str, int], list[Run]] = {}
    for repeat in range(1, repeats + 1):
        for rows in _ROWS:
            for name, case in _CASES.items():
                knobs = {
                    "batch_rows": rows,
                    "in_flight": _IN_FLIGHT,
                    "milliseconds": milliseconds,
                    "shared_memory": int(case.name == "shm"),
                    "grpc": int(case.name == "stock-grpc"),
                }
                run = runner.run(case, "", "", knobs=knobs)
                runs.setdefault((name, rows), []).append(run)
                rate = (run.rows or 0) / run.seconds
                say(f"  repeat {repeat}/{repeats}  {name:18} {rows:6,} a time {rate:12,.0f} rows/s")
    return [sum_up(name, rows, each) for (name, rows), each in runs.items()]


def sum_up(name: str, batch_rows: int, runs: list[Run]) -> Way:
    """Return the medians of a way's runs."""

    def median(figure: Callable[[Run, int], float]) -> float:
        return statistics.median(figure(run, run.rows or 1) for run in runs)

    return Way(
        transport=name,
        batch_rows=batch_rows,
        rows_per_s=median(lambda run, rows: rows / run.seconds),
        cpu_us_per_row=median(lambda run, rows: 1e6 * run.cpu_s / rows),
        server_cpu_us_per_row=median(lambda run, rows: 1e6 * run.server_cpu_s / rows),
    )


def table(ways: list[Way]) -> list[str]:
    """Return the lines of the table."""
    shown = [
        f"| {way.transport} | {way.batch_rows:,} | {way.rows_per_s:,.0f} "
        f"| {way.cpu_us_per_row:.2f} | {way.server_cpu_us_per_row:.2f} |"
        for way in ways
    ]
    return [
        "| transport | rows a request | rows/s | client's CPU µs a row | Triton's CPU µs a row |",
        "|---|---:|---:|---:|---:|",
        *shown,
    ]
