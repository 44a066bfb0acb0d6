"""Write a finished job's report as one page of Markdown, for its run's page in Prefect."""

import re
from collections.abc import Iterable, Iterator, Sequence

from flows.profile import BytesProfile, NumberProfile, Profile
from flows.quantities import count, percent, seconds, size
from flows.report_charts import look_at
from flows.report_data import ExampleRow, JobReport
from flows.report_outputs import number_facts

_BARS = "▁▂▃▄▅▆▇█"
_NONE = "·"
"""A bin with nothing in it."""
_MOST_BARS = 24
"""Bars of a histogram: as wide as a column of a table may be."""
_SHOWN = 50
"""Files or outputs that are listed; the manifest lists all of them."""
_SHOWN_VALUES = 5
"""Most frequent values of a BYTES output that are told."""
_LONGEST = 300
"""Characters of one cell."""
_SPECIAL = re.compile(r"([\\`*_\[\]<>|~&])")


def render_markdown(report: JobReport) -> str:
    """Return the figures of `_report.html` in its order, drawn with characters.

    Every text from the job is escaped.
    """
    sections = [
        _title(report),
        _counts(report),
        _time(report),
        _outputs(report),
        _quarantine(report),
        _lineage(report),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _title(report: JobReport) -> str:
    asked = "" if report.job == report.model else f" (asked for as {_text(report.job)})"
    lines = [
        f"# {_text(report.model)} scored {count(report.rows_ok)} of {count(report.rows_in)} rows",
        f"Published {report.published_at:%d %B %Y, %H:%M:%S} UTC{asked}.",
        *(f"> {_text(note)}" for note in report.notes),
    ]
    return "\n\n".join(lines)


def _counts(report: JobReport) -> str:
    rate = f"{count(round(report.rate))} rows/s" if report.rate else "nothing was left to score"
    of = report.rows_in
    facts = [
        ("Scored", f"{count(report.rows_ok)} rows, {percent(report.rows_ok, of)}"),
        (
            "Quarantined",
            f"{count(report.rows_quarantined)} rows, {percent(report.rows_quarantined, of)}",
        ),
        ("Shards", f"{report.shards_scored:,} scored, {report.shards_adopted:,} found committed"),
        ("Rate", rate),
        ("Time", f"{seconds(report.wall_s)}, {seconds(report.scoring_s)} of it scoring"),
    ]
    if report.bound is not None:
        facts.append(("Bounded by", _text(str(report.bound))))
    return _table(["", ""], facts)


def _time(report: JobReport) -> str:
    if not report.stages:
        return ""
    rows = [
        (_text(stage.name), f"{100 * share:.0f} %", count(stage.workers), _meter(share))
        for stage in report.stages
        for share in [stage.share(report.scoring_s)]
    ]
    return "## Where the time went\n\n" + _table(["stage", "busy:", "of:", ""], rows)


def _meter(share: float) -> str:
    """Draw a share of the whole as a bar of at most twenty blocks."""
    return "█" * round(20 * min(1.0, share))


def _outputs(report: JobReport) -> str:
    if not report.outputs:
        return ""
    heads = ["output", "values:", "min:", "median:", "mean:", "max:", "distribution"]
    shown = list(report.outputs.items())[:_SHOWN]
    rows = [(_text(name), *_profile(profile)) for name, profile in shown]
    more = _more(len(report.outputs) - len(shown), "outputs are in the manifest")
    return "## What came out\n\n" + _table(heads, rows) + more


def _profile(profile: Profile) -> tuple[str, ...]:
    """Return values, min, median, mean, max, distribution; of BYTES those of the lengths."""
    if isinstance(profile, NumberProfile):
        facts = dict(number_facts(profile))
        odd = [f"{facts[name]} {name}" for name in ("NaN", "infinite") if name in facts]
        values = profile.count + profile.nan + profile.infinite
        told = [facts[name] for name in ("min", "median", "mean", "max")]
        return (count(values), *told, ", ".join([*filter(None, [_histogram(profile)]), *odd]))
    lengths = dict(number_facts(profile.lengths))
    told = [f"{lengths[name]} B" for name in ("min", "median", "mean", "max")]
    return (count(profile.lengths.count), *told, _top_values(profile))


def _histogram(profile: NumberProfile) -> str:
    """Draw the distribution of numbers; empty where all are the same."""
    if not profile.count or profile.min == profile.max:
        return ""
    counts = look_at(profile.histogram, _MOST_BARS).histogram.counts
    tallest = max(counts)
    steps = len(_BARS) - 1
    return "".join(_BARS[round(steps * each / tallest)] if each else _NONE for each in counts)


def _top_values(profile: BytesProfile) -> str:
    at_least = "≥ " if profile.uncounted else ""
    return ", ".join(
        f"{_text(value or '(empty)')} {at_least}{percent(number, profile.lengths.count)}"
        for value, number in profile.top[:_SHOWN_VALUES]
    )


def _quarantine(report: JobReport) -> str:
    if not report.rows_quarantined:
        return ""
    reasons = [
        (
            _text(reason.reason),
            count(reason.rows),
            percent(reason.rows, report.rows_quarantined),
            _text(reason.stage),
        )
        for reason in report.reasons
    ]
    rest = report.rows_quarantined - sum(reason.rows for reason in report.reasons)
    examples = [
        (_text(reason.reason), _text(row.file), count(row.row), _text(row.detail), _values(row))
        for reason in report.reasons
        for row in reason.examples
    ]
    tables = [
        _table(["reason", "rows:", "share:", "stage"], reasons)
        + _more(rest, "rows for other reasons")
    ]
    if examples:
        tables.append(_table(["example of", "file", "row:", "detail", "values"], examples))
    return "\n\n".join(["## What could not be scored", *tables])


def _values(row: ExampleRow) -> str:
    return _text(", ".join(f"{name} = {value}" for name, value in row.values.items()))


def _lineage(report: JobReport) -> str:
    facts = [
        ("Input", _text(report.input_uri)),
        ("Output", f"{_text(report.output_uri)} · {size(report.part_bytes)} in parts"),
        ("Model", f"{_text(report.model)} · {_text(report.model_digest)}"),
        *(
            (f"Fed to {_text(name)}", _text(", ".join(columns)))
            for name, columns in report.columns.items()
        ),
        ("Fingerprint", _text(report.fingerprint)),
        ("Started", f"{report.started_at:%d %B %Y, %H:%M:%S} UTC"),
        ("Versions", _text(" · ".join(f"{k} {v}" for k, v in report.versions.items()))),
    ]
    files = [
        (_text(file.key), count(file.rows), size(file.size), _text(file.etag))
        for file in report.files[:_SHOWN]
    ]
    more = _more(len(report.files) - len(files), "files are in the manifest")
    tables = [_table(["", ""], facts)]
    if files:
        tables.append(_table(["input file", "rows:", "size:", "etag"], files) + more)
    return "\n\n".join(["## Where it comes from", *tables])


def _more(number: int, what: str) -> str:
    return f"\n\n{count(number)} more {what}." if number > 0 else ""


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a table; a head that ends in a colon is of a column of numbers."""
    return "\n".join(_lines(heads, rows))


def _lines(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield _line([head.removesuffix(":") for head in heads])
    yield _line(["---:" if head.endswith(":") else "---" for head in heads])
    for row in rows:
        yield _line(row)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _text(text: str) -> str:
    """Return a text of the job on one line, cut where it is long, with nothing in it markup."""
    folded = " ".join(text.split())
    folded = folded if len(folded) <= _LONGEST else f"{folded[: _LONGEST - 1]}…"
    return _SPECIAL.sub(r"\\\1", folded)
