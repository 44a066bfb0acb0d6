"""Samples are summed up by our own functions."""

from benchmarks.profiling import Share, shares, table

STACKS = [
    "main (/w/benchmarks/cases/nightshift_job.py:20);score (/w/flows/scoring.py:9);read (a.py:1) 6",
    "main (/w/benchmarks/cases/nightshift_job.py:20);score (/w/flows/scoring.py:7) 1",
    "run (threading.py:1);send (/w/inference/triton.py:3);call (/w/grpc/_channel.py:1) 2",
    "run (threading.py:1);poll (/w/grpc/_channel.py:4) 1",
    "<module> (/w/flows/launch.py:3);_find_and_load (<frozen importlib._bootstrap>:1) 50",
]


def test_what_others_do_counts_for_the_function_of_ours_that_asked() -> None:
    """The largest first; importing is left out."""
    assert shares(STACKS) == [
        Share("score (flows/scoring.py)", 7, 0.7),
        Share("send (inference/triton.py)", 2, 0.2),
        Share("outside of our functions", 1, 0.1),
    ]


def test_the_table() -> None:
    """One line a function."""
    assert table(shares(STACKS))[2] == "| `score (flows/scoring.py)` | 70.0% |"
