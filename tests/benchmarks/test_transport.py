"""Transports are compared by what a row costs."""

from benchmarks.transport import Way, sum_up, table
from tests.benchmarks.figures import run


def test_a_way_is_the_median_of_its_runs() -> None:
    """Each figure by itself, for a row."""
    runs = [run(2.0, rows=1_000_000, cpu_s=0.5), run(1.0, rows=1_000_000), run(4.0, rows=500_000)]
    assert sum_up("gRPC", 8_192, runs) == Way("gRPC", 8_192, 500_000.0, 1.0, 0.5)


def test_the_table() -> None:
    """One line a way, in the order of measuring."""
    assert table([Way("gRPC", 8_192, 500_000.0, 1.0, 0.5)])[2:] == [
        "| gRPC | 8,192 | 500,000 | 1.00 | 0.50 |"
    ]
