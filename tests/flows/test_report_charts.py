"""Charts of the job report."""

import re

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from flows.histogram import Histogram
from flows.profile import NumberProfile
from flows.report_charts import balance_chart, bars_chart, histogram_chart, look_at, nice_ticks

FLOATS = st.lists(
    st.floats(allow_nan=False, allow_infinity=False) | st.floats(-10, 10), min_size=1, max_size=30
)


@given(FLOATS, st.integers(2, 60))
def test_what_is_not_drawn_is_counted(values: list[float], most: int) -> None:
    """Bins in the picture and values beside it are all there are."""
    whole = Histogram.of(np.array(values))
    view = look_at(whole, most)
    assert 1 <= len(view.histogram.counts) <= most
    assert view.below + view.histogram.total + view.above == whole.total


def test_a_long_tail_does_not_flatten_the_rest() -> None:
    """A few values far away are left out; a tail of many is drawn."""
    crowd = np.linspace(0, 1, 10_000)
    view = look_at(Histogram.of(np.append(crowd, [1000.0, -500.0])))
    assert (view.below, view.above) == (1, 1)
    many = look_at(Histogram.of(np.append(crowd, np.full(2000, 1000.0))))
    assert (many.below, many.above) == (0, 0)


@given(FLOATS, st.booleans())
def test_every_histogram_can_be_drawn(values: list[float], whole: bool) -> None:
    """Bars stay inside the picture whatever the numbers are."""
    array = np.array(values).clip(-1e15, 1e15).astype(np.int64) if whole else np.array(values)
    drawn = histogram_chart(NumberProfile.of(array), 440, "a <b>")
    assert 'aria-label="a &lt;b&gt;"' in drawn
    for left, width in re.findall(
        r'<rect class="f-bar" x="([\d.]+)" y="[\d.]+" width="([\d.]+)"', drawn
    ):
        assert float(left) + float(width) <= 440
    assert "nan" not in drawn.lower().replace("<title>nan", "")


def test_integers_stand_in_the_middle_of_their_bars() -> None:
    """Three labels, three bars, three ticks, and what each bar says."""
    drawn = histogram_chart(NumberProfile.of(np.array([0, 1, 1, 2])), 440, "label")
    assert re.findall(r"<title>(.*?)</title>", drawn) == ["0: 1", "1: 2", "2: 1"]
    assert re.findall(r'middle">([^<]*)<', drawn) == ["0", "1", "2"]
    assert "mean 1<" in drawn


def test_the_mean_is_left_out_where_the_picture_does_not_reach() -> None:
    """A few large values move the mean beyond the crowd."""
    values = np.append(np.linspace(0, 0.9, 1000), [1000.0] * 4)
    assert "mean" not in histogram_chart(NumberProfile.of(values), 440, "x")
    right = histogram_chart(NumberProfile.of(np.array([0.0, *[1.0] * 50])), 440, "x")
    assert 'text-anchor="end">mean' in right


@given(st.floats(-1e9, 1e9), st.floats(1e-6, 1e9), st.integers(3, 14), st.booleans())
def test_ticks_are_few_round_numbers_inside(
    low: float, span: float, most: int, whole: bool
) -> None:
    """Never more than asked for, never outside."""
    high = low + span
    ticks = nice_ticks(low, high, most, whole=whole)
    assert len(ticks) <= most + 1
    slack = 1e-9 * max(abs(low), abs(high), 1)
    assert all(low - slack <= tick <= high + slack for tick in ticks)


def test_a_range_without_width_has_one_tick() -> None:
    """Nothing is divided by zero."""
    assert nice_ticks(3.0, 3.0, 5) == [3.0]
    assert nice_ticks(-1e308, 1.7e308, 5) == [-1e308]


def test_the_balance_shows_even_one_row() -> None:
    """A single quarantined row of a million is visible; none leaves no trace."""
    assert 'width="3.0"' in balance_chart(999_999, 1)
    assert 'width="0.0"' in balance_chart(5, 0)
    assert 'class="f-ok" width="0.0"' in balance_chart(0, 5)


def test_bars_are_named_and_some_stand_out() -> None:
    """Names are escaped; lengths are in proportion."""
    drawn = bars_chart([("a<b", 1.0, "1 s"), ("c", 4.0, "4 s"), ("d", 0.0, "0 s")], strong={"c"})
    assert re.findall(r"width:([\d.]+)%", drawn) == ["25.00", "100.00", "0.00"]
    assert '<div class="row strong"><span>c</span>' in drawn
    assert "a&lt;b" in drawn
    assert bars_chart([]) == '<div class="bars"></div>'
