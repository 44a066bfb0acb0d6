"""Draw the charts of the job report as inline SVG."""

import math
import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from html import escape

from flows.histogram import Histogram
from flows.profile import NumberProfile
from flows.quantities import count, measure

_MOST_BARS = 56
"""Bars that can still be told apart in half a page."""
_TAIL = 0.005
"""Share of the values at each end that may be left out of the picture, counted beside it."""
_TOP, _PLOT, _BOTTOM, _RIGHT = 20.0, 132.0, 24.0, 46.0
"""Room around the bars: mean above, ticks below, counts at the right; and their height."""


@dataclass(frozen=True, slots=True)
class HistogramView:
    """The part of a histogram that is drawn, with what lies outside."""

    histogram: Histogram
    """The bins that are drawn."""
    below: int
    """Values left of them."""
    above: int
    """Values right of them."""


def look_at(histogram: Histogram, most_bars: int = _MOST_BARS) -> HistogramView:
    """Choose bins for a picture: long tails are left out when they would flatten the rest.

    At most 0.5 % of the values at each end, and only when that makes the range three times
    narrower or more.
    """
    first, last = histogram.start, histogram.stop - 1
    width = math.ldexp(1.0, histogram.exponent)
    low = max(first, math.floor(histogram.quantile(_TAIL) / width))
    high = min(last, math.floor(min(histogram.quantile(1 - _TAIL), sys.float_info.max) / width))
    margin = max(1, (high - low + 1) // 8)
    if last - first + 1 > 3 * (high - low + 1 + 2 * margin):
        first, last = max(first, low - margin), min(last, high + margin)
    inside = histogram.counts[first - histogram.start : last + 1 - histogram.start]
    drawn = Histogram(histogram.exponent, first, inside)
    while len(drawn.counts) > most_bars:
        drawn = drawn.coarsened(drawn.exponent + 1)
    return HistogramView(
        drawn,
        sum(histogram.counts[: first - histogram.start]),
        sum(histogram.counts[last + 1 - histogram.start :]),
    )


def histogram_chart(profile: NumberProfile, width: int, label: str) -> str:
    """Draw the distribution of a column's numbers, with its mean."""
    view = look_at(profile.histogram, _MOST_BARS if width < 600 else 2 * _MOST_BARS)
    bins = view.histogram
    right = width - _RIGHT
    step = right / len(bins.counts)
    tallest = max(bins.counts)
    # An integer stands in the middle of its bar.
    shift = 0.5 if profile.whole and bins.exponent == 0 else 0.0

    def place(value: float) -> float:
        return (value / math.ldexp(1.0, bins.exponent) - bins.start + shift) * step

    bars = [
        _bar(bins, position, number, step, tallest, whole=profile.whole)
        for position, number in enumerate(bins.counts)
        if number
    ]
    low, high = bins.edge(bins.start) - shift, bins.edge(bins.stop) - shift
    base = _TOP + _PLOT
    ticks = [
        f'<text x="{place(tick):.1f}" y="{base + 17:.0f}" '
        f'text-anchor="{_anchor(place(tick), right)}">{measure(tick)}</text>'
        for tick in nice_ticks(low, high, 8 if width < 600 else 14, whole=profile.whole)
    ]
    return (
        f'<svg viewBox="0 0 {width} {base + _BOTTOM:.0f}" role="img" aria-label="{escape(label)}">'
        f"{_grid(tallest, width, right)}{''.join(bars)}"
        f'<line class="s-line" x1="0" x2="{right:.0f}" y1="{base}" y2="{base}"/>'
        f"{''.join(ticks)}{_mean_mark(place(profile.mean), profile.mean, right)}</svg>"
    )


def nice_ticks(low: float, high: float, most: int, *, whole: bool = False) -> list[float]:
    """Return round numbers from `low` to `high`: multiples of 1, 2 or 5 times a power of ten."""
    span = high - low
    if not (span > 0 and math.isfinite(span)):
        return [low]
    power = 10.0 ** math.floor(math.log10(span / most))
    step = next(power * each for each in (1, 2, 5, 10) if span / (power * each) <= most)
    step = max(step, 1.0) if whole else step
    first, last = math.ceil(low / step), math.floor(high / step)
    return [index * step for index in range(first, last + 1)]


def balance_chart(scored: int, quarantined: int) -> str:
    """Draw rows in as rows scored plus rows quarantined; what is there is always visible."""
    whole = scored + quarantined
    wrong = 0.0 if not quarantined else min(997.0, max(3.0, 1000.0 * quarantined / whole))
    gap = 2.0 if quarantined and scored else 0.0
    left = 1000.0 - wrong - gap if scored else 0.0
    return (
        '<svg viewBox="0 0 1000 16" preserveAspectRatio="none" role="img" '
        f'style="height:16px" aria-label="{count(scored)} scored, '
        f'{count(quarantined)} quarantined">'
        f'<rect class="f-ok" width="{left:.1f}" height="16" rx="3"/>'
        f'<rect class="f-warn" x="{1000 - wrong:.1f}" width="{wrong:.1f}" height="16" rx="3"/>'
        "</svg>"
    )


def bars_chart(
    rows: Sequence[tuple[str, float, str]],
    *,
    whole: float = 0.0,
    strong: Collection[str] = (),
) -> str:
    """Draw named amounts as horizontal bars; each row is (name, amount, amount as text).

    The longest bar, or `whole` where that is more, fills the width.
    """
    most = max([whole, *(amount for _, amount, _ in rows)], default=0.0) or 1.0
    drawn = "".join(
        f'<div class="{"row strong" if name in strong else "row"}"><span>{escape(name)}</span>'
        f'<span class="track"><i style="width:{100 * amount / most:.2f}%"></i></span>'
        f"<span>{escape(text)}</span></div>"
        for name, amount, text in rows
    )
    return f'<div class="bars">{drawn}</div>'


def _bar(
    bins: Histogram, position: int, number: int, step: float, tallest: int, *, whole: bool
) -> str:
    height = max(1.0, _PLOT * number / tallest)
    width = min(step - (1.0 if step > 3 else 0.0), 72.0)
    left = position * step + (step - width) / 2
    low = bins.edge(bins.start + position)
    high = bins.edge(bins.start + position + 1)
    if whole and bins.exponent == 0:
        said = measure(low)
    else:
        said = f"{measure(low)} to {measure(high)}"
    return (
        f'<rect class="f-bar" x="{left:.2f}" y="{_TOP + _PLOT - height:.1f}" width="{width:.2f}" '
        f'height="{height:.1f}" rx="{min(2.0, width / 3):.1f}">'
        f"<title>{said}: {count(number)}</title></rect>"
    )


def _grid(tallest: int, width: int, right: float) -> str:
    """Draw one line at a round count, so that heights can be read."""
    ticks = [tick for tick in nice_ticks(0, tallest, 3, whole=True) if tick > 0]
    return "".join(
        f'<line class="s-line" x1="0" x2="{right:.0f}" y1="{y:.1f}" y2="{y:.1f}"/>'
        f'<text x="{width}" y="{y + 4:.1f}" text-anchor="end">{count(int(tick))}</text>'
        for tick in ticks
        for y in [_TOP + _PLOT * (1 - tick / tallest)]
    )


def _mean_mark(x: float, mean: float, width: float) -> str:
    """Mark the mean, unless it lies outside the picture."""
    if not 0 <= x <= width:
        return ""
    anchor = "end" if x > width * 0.7 else "start"
    beside = x - 5 if anchor == "end" else x + 5
    return (
        f'<line class="s-mean" x1="{x:.1f}" x2="{x:.1f}" y1="6" y2="{_TOP + _PLOT}"/>'
        f'<text class="t-mean" x="{beside:.1f}" y="13" text-anchor="{anchor}">'
        f"mean {measure(mean)}</text>"
    )


def _anchor(x: float, width: float) -> str:
    if x < 14:
        return "start"
    return "end" if x > width - 14 else "middle"
