"""Show a job's output columns in its report."""

import math
from collections.abc import Mapping
from html import escape

from flows.profile import TOP_VALUES, BytesProfile, NumberProfile, Profile
from flows.quantities import count, measure, percent
from flows.report_charts import bars_chart, histogram_chart, look_at

_WIDE, _NARROW = 940, 440
"""Units across a chart that fills the page, or half of it; the text keeps its size in both."""
_SHOWN_VALUES = 10
"""Most frequent values of a BYTES output that are drawn."""


def outputs_section(outputs: Mapping[str, Profile]) -> str:
    """Return the section that shows each output column; empty without any."""
    if not outputs:
        return ""
    wide = len(outputs) == 1
    cards = "".join(
        _output(name, profile, _WIDE if wide else _NARROW) for name, profile in outputs.items()
    )
    body = cards if wide else f'<div class="grid">{cards}</div>'
    return (
        f"<h2>What came out</h2><p class=soft>Over every scored row, all parts together.</p>{body}"
    )


def _output(name: str, profile: Profile, width: int) -> str:
    if isinstance(profile, BytesProfile):
        chart, facts = _top_values(profile), _length_facts(profile)
        counted = profile.lengths.count
    else:
        chart, facts = _numbers(name, profile, width), number_facts(profile)
        counted = profile.count + profile.nan + profile.infinite
    stats = "".join(f"<div><dt>{term}</dt><dd>{value}</dd></div>" for term, value in facts)
    return (
        f'<div class="card"><div class="head"><h3>{escape(name)}</h3>'
        f"<span>{count(counted)} values</span></div>{chart}"
        f'<dl class="stats">{stats}</dl></div>'
    )


def _numbers(name: str, profile: NumberProfile, width: int) -> str:
    if not profile.count:
        return '<p class="soft">No finite number.</p>'
    if profile.min == profile.max:
        kind = "finite number" if profile.nan + profile.infinite else "number"
        return f'<p class="soft">Every {kind} is {measure(profile.min)}.</p>'
    view = look_at(profile.histogram)
    outside = [
        f"{count(number)} values {side} (down to {measure(profile.min)})"
        if side == "below"
        else f"{count(number)} values {side} (up to {measure(profile.max)})"
        for number, side in ((view.below, "below"), (view.above, "above"))
        if number
    ]
    said = f'<p class="small">Not drawn: {"; ".join(outside)}.</p>' if outside else ""
    return histogram_chart(profile, width, f"Histogram of {name}") + said


def number_facts(profile: NumberProfile) -> list[tuple[str, str]]:
    """Return what is told of a column's numbers, each with its name: `min`, `median`…"""
    facts = [
        ("min", measure(profile.min)),
        ("median", _median(profile)),
        ("mean", measure(profile.mean if profile.count else None)),
        ("max", measure(profile.max)),
        ("std", measure(profile.std if profile.count else None)),
    ]
    if profile.nan:
        facts.append(("NaN", count(profile.nan)))
    if profile.infinite:
        facts.append(("infinite", count(profile.infinite)))
    return facts


def _median(profile: NumberProfile) -> str:
    """The middle number: exact for integers in bins of their own, else right to a bin's width."""
    if not profile.count:
        return "–"
    middle = profile.histogram.quantile(0.5)
    if profile.whole and profile.histogram.exponent == 0:
        return measure(math.ceil(middle) - 1 if middle == int(middle) else int(middle // 1))
    return f"≈ {measure(middle)}"


def _top_values(profile: BytesProfile) -> str:
    if not profile.top:
        return '<p class="soft">No value came often enough to be told.</p>'
    whole = profile.lengths.count
    at_least = "≥ " if profile.uncounted else ""
    rows = [
        (value or "(empty)", float(number), f"{at_least}{count(number)} · {percent(number, whole)}")
        for value, number in profile.top[:_SHOWN_VALUES]
    ]
    return bars_chart(rows)


def _length_facts(profile: BytesProfile) -> list[tuple[str, str]]:
    lengths = profile.lengths
    return [
        ("different", f"> {TOP_VALUES}" if profile.uncounted else count(len(profile.top))),
        ("shortest", f"{measure(lengths.min)} B"),
        ("mean", f"{measure(lengths.mean)} B"),
        ("longest", f"{measure(lengths.max)} B"),
    ]
