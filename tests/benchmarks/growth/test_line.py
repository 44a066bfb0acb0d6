"""A job's seconds are parted."""

import pytest

from benchmarks.growth.line import fit
from benchmarks.growth.measures import Size


def test_a_straight_line_is_found() -> None:
    """Half a second for the job, a microsecond for each row."""
    line = fit([Size(rows, 0.5 + rows / 1e6, 1) for rows in (1_000_000, 4_000_000, 16_000_000)])
    assert (line.fixed_s, line.us_per_row) == pytest.approx((0.5, 1.0))
    assert line.residuals == pytest.approx((0.0, 0.0, 0.0), abs=1e-9)


def test_what_does_not_grow_with_the_rows_alone_is_seen() -> None:
    """The middle one of three took a tenth too long."""
    line = fit([Size(1_000_000, 1.0, 1), Size(2_000_000, 2.2, 1), Size(3_000_000, 3.0, 1)])
    assert line.residuals[1] > 0.05
    assert line.residuals[0] < 0 > line.residuals[2]
