"""Figures beside what they must reach."""

from benchmarks.online.figures import Figure, figure, table


def test_a_figure_is_the_median_of_its_turns() -> None:
    """A bound is held against the median, not against the best turn."""
    assert figure("rate", [3.0, 1.0, 2.0], "×", least=2) == Figure(
        "rate", 2.0, 1.0, 3.0, "×", "≥ 2", reached=True
    )
    assert figure("rate", [3.0, 1.0, 1.9], "×", least=2).reached is False
    assert figure("time", [2.0], "ms", below=2).reached is False
    assert figure("time", [1.9, 5.0, 1.0], "ms", below=2) == Figure(
        "time", 1.9, 1.0, 5.0, "ms", "< 2", reached=True
    )


def test_the_table_says_what_is_missed() -> None:
    """Spread and bound stand beside each value."""
    found = [figure("rate", [1234.5], "requests/s"), figure("share", [0.1, 0.2, 0.3], "×", least=1)]
    assert table(found, "python 3.11", "make it")[2:4] == [
        "| rate | 1,234 requests/s | 1,234 to 1,234 |  |",
        "| share | 0.20 × | 0.10 to 0.30 | ≥ 1, **missed** |",
    ]
