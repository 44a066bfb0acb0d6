"""Quantities as a person reads them."""

import pytest

from flows.quantities import count, measure, percent, seconds, size


def plain(text: str) -> str:
    """With ordinary spaces."""
    return text.replace("\N{NO-BREAK SPACE}", " ")


def test_counts_have_their_thousands_apart() -> None:
    """Digits in groups of three."""
    assert count(336776) == "336,776"


@pytest.mark.parametrize(
    ("part", "whole", "said"),
    [
        (0, 0, "0 %"),
        (0, 5, "0 %"),
        (5, 5, "100 %"),
        (1, 10**9, "< 0.01 %"),
        (10**9 - 1, 10**9, "> 99.99 %"),
        (1, 200, "0.50 %"),
        (199, 200, "99.50 %"),
        (1, 3, "33.3 %"),
    ],
)
def test_shares_are_nothing_or_all_only_when_they_are(part: int, whole: int, said: str) -> None:
    """One row of a billion still shows."""
    assert plain(percent(part, whole)) == said


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (0.0, "0 ms"),
        (0.0424, "42 ms"),
        (0.9999, "1.0 s"),
        (12.44, "12.4 s"),
        (99.97, "1 min 40 s"),
        (192.0, "3 min 12 s"),
        (7500.0, "2 h 05 min"),
    ],
)
def test_durations_take_the_unit_that_fits(number: float, said: str) -> None:
    """No unit is ever full."""
    assert plain(seconds(number)) == said


@pytest.mark.parametrize(
    ("number", "said"),
    [(0, "0 B"), (512, "512 B"), (1024, "1.0 KiB"), (1_300_000, "1.2 MiB"), (2**60, "1024.0 PiB")],
)
def test_sizes_take_the_unit_that_fits(number: int, said: str) -> None:
    """Powers of 1,024."""
    assert plain(size(number)) == said


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (None, "–"),
        (0.0, "0"),
        (1.5, "1.5"),
        (1272.0, "1,272"),
        (-0.31274, "−0.3127"),
        (1234567.8, "1,234,568"),
        (99999.96, "100,000"),
        (6.02e23, "6.02e+23"),
        (-1.165e-10, "−1.17e−10"),
    ],
)
def test_measures_have_four_digits(number: float | None, said: str) -> None:
    """Neither more than is known nor less than is needed."""
    assert measure(number) == said
