"""Repeats are summed up."""

from benchmarks.summary import Summary, summarize
from tests.benchmarks.figures import run


def test_medians_with_the_slowest_and_the_fastest() -> None:
    """Rates and processor time are medians, memory is the largest."""
    runs = [run(1.0, cpu_s=3.0, peak=5), run(4.0, cpu_s=1.0, peak=7), run(2.0, cpu_s=2.0, peak=6)]
    assert summarize(runs, rows=100) == Summary(
        rows_per_s=50.0, slowest=25.0, fastest=100.0, cpu_s=2.0, server_cpu_s=0.5, peak_bytes=7
    )


def test_a_run_may_say_how_many_rows_it_handled() -> None:
    """A ceiling sends as many as it can."""
    assert summarize([run(2.0, rows=1_000)], rows=100).rows_per_s == 500.0
