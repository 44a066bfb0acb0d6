"""Write a finished job's report as one HTML page."""

from collections.abc import Iterable, Sequence
from html import escape

from flows.quantities import count, percent, seconds, size
from flows.report_charts import balance_chart, bars_chart
from flows.report_data import ExampleRow, FileLineage, JobReport, QuarantineReason
from flows.report_outputs import outputs_section
from flows.report_style import STYLE

_SHOWN_FILES = 200
"""Files listed one by one; the manifest lists all of them."""
_OPEN_FILES = 12
"""Files that are listed without having to unfold the list."""
_SHOWN_COLUMNS = 8
"""Columns of an example row that are shown."""


def render_report(report: JobReport) -> str:
    """Return `_report.html`: self-contained, without scripts, light or dark as the reader's system.

    Every text from the job is escaped, and the page forbids itself to load anything.
    """
    sections = [
        _title(report),
        _notes(report.notes),
        _tiles(report),
        _balance(report),
        _time(report),
        outputs_section(report.outputs),
        _quarantine(report),
        _lineage(report),
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>{escape(report.model)} · {count(report.rows_ok)} rows scored</title>"
        f"<style>{STYLE}</style></head><body><main>{''.join(sections)}"
        f"<footer>Nightshift {escape(report.versions.get('nightshift', ''))} · the manifest beside "
        "this page, <span class=code>_manifest.json</span>, holds the same facts for programs."
        "</footer></main></body></html>\n"
    )


def _title(report: JobReport) -> str:
    asked = "" if report.job == report.model else f" (asked for as {escape(report.job)})"
    return (
        '<p class="eyebrow">Batch scoring report</p>'
        f"<h1>{escape(report.model)} scored {count(report.rows_ok)} of {count(report.rows_in)} rows"
        "</h1>"
        f'<p class="lead">Published {report.published_at:%d %B %Y, %H:%M:%S} UTC{asked}.</p>'
    )


def _notes(notes: Iterable[str]) -> str:
    return "".join(f'<div class="note">{escape(note)}</div>' for note in notes)


def _tiles(report: JobReport) -> str:
    rate = report.rate
    shards = f"{count(report.shards_scored)} scored"
    if report.shards_adopted:
        shards += f", {count(report.shards_adopted)} adopted"
    tiles = [
        _tile(count(report.rows_ok), f"rows scored, {percent(report.rows_ok, report.rows_in)}"),
        _tile(
            count(report.rows_quarantined),
            f"rows quarantined, {percent(report.rows_quarantined, report.rows_in)}",
            warn=report.rows_quarantined > 0,
        ),
        _tile("–" if rate is None else count(round(rate)), "rows per second while scoring"),
        _tile(seconds(report.wall_s), f"wall time, {seconds(report.scoring_s)} of it scoring"),
        _tile(count(report.shards_scored + report.shards_adopted), f"shards: {shards}"),
    ]
    return f'<div class="tiles">{"".join(tiles)}</div>'


def _tile(figure: str, said: str, *, warn: bool = False) -> str:
    kind = "tile warn" if warn else "tile"
    return f'<div class="{kind}"><b>{figure}</b><span>{escape(said)}</span></div>'


def _balance(report: JobReport) -> str:
    if not report.rows_in:
        return '<p class="soft">The dataset has no rows; an empty output is published.</p>'
    missing = report.rows_in - report.rows_ok - report.rows_quarantined
    law = f"= {count(report.rows_in)} rows in, every one accounted for"
    if missing:
        law = f"≠ {count(report.rows_in)} rows in: {count(abs(missing))} unaccounted for"
    return (
        balance_chart(report.rows_ok, report.rows_quarantined)
        + '<div class="legend">'
        + f'<span><i class="k-ok"></i>{count(report.rows_ok)} scored</span>'
        + f'<span><i class="k-warn"></i>{count(report.rows_quarantined)} quarantined</span>'
        + f"<span>{law}</span></div>"
    )


def _time(report: JobReport) -> str:
    if not report.stages:
        said = "Nothing had to be scored in this run."
        return f'<h2>Where the time went</h2><p class="soft">{said}</p>'
    rows = [
        (stage.name, share, f"{100 * share:.0f} % of {count(stage.workers)}")
        for stage in report.stages
        for share in [stage.share(report.scoring_s)]
    ]
    bound = report.bound
    strong = {name for name, _ in bound.parts} if bound is not None and bound.clear else set()
    said = (
        "How much of the scoring time each stage was busy, in the order in which a row passes "
        "them: “20 % of 8” is the mean of eight threads, requests or instances. Stages overlap."
    )
    if bound is not None:
        said = f"Bounded by {escape(str(bound))}. {said}"
    chart = bars_chart(rows, whole=1.0, strong=strong)
    return f'<h2>Where the time went</h2><p class="soft">{said}</p><div class="card">{chart}</div>'


def _quarantine(report: JobReport) -> str:
    title = "<h2>What could not be scored</h2>"
    if not report.rows_quarantined:
        return f'{title}<p class="soft">Nothing: every row was scored.</p>'
    reasons = "".join(_reason(reason, report.rows_quarantined) for reason in report.reasons)
    rest = report.rows_quarantined - sum(reason.rows for reason in report.reasons)
    more = f'<p class="soft">{count(rest)} more rows for other reasons.</p>' if rest > 0 else ""
    return (
        f'{title}<p class="soft">These rows lie whole in <code>_quarantine/</code>, with file, '
        f'position, stage and reason.</p><div class="card">{reasons}</div>{more}'
    )


def _reason(reason: QuarantineReason, whole: int) -> str:
    share = 100.0 * reason.rows / whole
    return (
        f'<div class="reason"><div class="head"><h3>{escape(reason.reason)}</h3>'
        f"<span>{count(reason.rows)} rows · {percent(reason.rows, whole)} of them · "
        f"stage {escape(reason.stage)}</span></div>"
        f'<div class="meter"><i style="width:{share:.2f}%"></i></div>{_examples(reason.examples)}'
        "</div>"
    )


def _examples(examples: Sequence[ExampleRow]) -> str:
    if not examples:
        return ""
    names = list(dict.fromkeys(name for row in examples for name in row.values))[:_SHOWN_COLUMNS]
    told = any(row.detail for row in examples)
    heads = ["file", "row", *(["detail"] if told else []), *names]
    rows = "".join(
        f'<tr><td class="code">{escape(row.file)}</td><td class="n">{count(row.row)}</td>'
        + (f'<td class="code">{escape(row.detail)}</td>' if told else "")
        + "".join(_cell(row.values.get(name, "")) for name in names)
        + "</tr>"
        for row in examples
    )
    noun = "row" if len(examples) == 1 else "rows"
    return (
        f"<details><summary>{len(examples)} example {noun}</summary>"
        f'<div class="scroll"><table><tr>{_heads(heads)}</tr>{rows}</table></div></details>'
    )


def _heads(names: Iterable[str]) -> str:
    return "".join(
        f'<th class="n">{name}</th>' if name == "row" else f"<th>{escape(name)}</th>"
        for name in names
    )


def _cell(value: str) -> str:
    if value == "null":
        return '<td class="null">null</td>'
    return f"<td>{escape(value if len(value) <= 60 else value[:59] + '…')}</td>"


def _lineage(report: JobReport) -> str:
    fed = [
        f"{escape(name)} ← {escape(', '.join(columns))}" for name, columns in report.columns.items()
    ]
    facts = [
        ("dataset", _code(report.input_uri)),
        ("output", f"{_code(report.output_uri)} · {size(report.part_bytes)} in parts"),
        ("model", f"{escape(report.model)} · {_code(report.model_digest)}"),
        ("inputs", "<br>".join(fed)),
        ("fingerprint", _code(report.fingerprint)),
        ("started", f"{report.started_at:%d %B %Y, %H:%M:%S} UTC"),
        ("versions", escape(" · ".join(f"{k} {v}" for k, v in report.versions.items()))),
    ]
    rows = "".join(f"<dt>{term}</dt><dd>{value}</dd>" for term, value in facts)
    return (
        f'<h2>Where it comes from</h2><div class="card"><dl class="facts">{rows}</dl></div>'
        f"{_files(report.files)}"
    )


def _code(text: str) -> str:
    return f'<span class="code">{escape(text)}</span>'


def _files(files: Sequence[FileLineage]) -> str:
    rows = "".join(
        f'<tr><td class="code">{escape(file.key)}</td><td class="n">{count(file.rows)}</td>'
        f'<td class="n">{size(file.size)}</td><td class="code">{escape(file.etag)}</td></tr>'
        for file in files[:_SHOWN_FILES]
    )
    rest = len(files) - _SHOWN_FILES
    more = f'<p class="soft">{count(rest)} more are in the manifest.</p>' if rest > 0 else ""
    heads = '<th>file</th><th class="n">rows</th><th class="n">size</th><th>etag</th>'
    unfolded = " open" if len(files) <= _OPEN_FILES else ""
    noun = "input file" if len(files) == 1 else "input files"
    return (
        f'<div class="card"><details{unfolded} style="margin:0"><summary>{count(len(files))} '
        f'{noun}</summary><div class="scroll"><table><tr>{heads}</tr>{rows}</table></div>'
        f"{more}</details></div>"
    )
