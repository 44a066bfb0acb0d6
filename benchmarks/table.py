"""Write the tables of benchmarks/README.md."""

from collections.abc import Iterable, Mapping, Sequence

from benchmarks.catalog import Case, Knobs
from benchmarks.experiment import describe_knobs
from benchmarks.summary import Summary
from benchmarks.verdict import Verdict

_KINDS = ("ours", "peer", "ceiling")
_HEADER = (
    "| case | settings | rows/s, median | slowest to fastest | × ours | CPU s | Triton's CPU s "
    "| memory, MB |",
    "|---|---|---:|---:|---:|---:|---:|---:|",
)


class NoPlace(Exception):
    """A page has no place for a table."""


def comparison(
    summaries: Mapping[Case, Summary], knobs: Mapping[Case, Knobs], skipped: Mapping[Case, str]
) -> list[str]:
    """Return the lines of a workload's table: ours, the peers by rate, the ceilings."""
    ours = next((s.rows_per_s for case, s in summaries.items() if case.kind == "ours"), None)
    ordered = sorted(
        summaries, key=lambda case: (_KINDS.index(case.kind), -summaries[case].rows_per_s)
    )
    lines = list(_HEADER)
    for case in ordered:
        found = summaries[case]
        share = f"{found.rows_per_s / ours:.2f}" if ours else ""
        lines.append(
            f"| {case.title} | {describe_knobs(knobs[case])} | {found.rows_per_s:,.0f} "
            f"| {found.slowest:,.0f} to {found.fastest:,.0f} | {share} | {found.cpu_s:.1f} "
            f"| {found.server_cpu_s:.1f} | {found.peak_bytes / 1e6:,.0f} |"
        )
    return lines + [f"| {case.title} | {why} | | | | | | |" for case, why in skipped.items()]


def sentence(verdict: Verdict, cases: Iterable[Case]) -> str:
    """Say how we stand, with the titles of the cases that the verdict names."""
    titles = {case.name: case.title for case in cases}
    return (
        f"Nightshift is {verdict.over_fastest_peer:.2f} × the fastest peer "
        f"({titles[verdict.fastest_peer]}), {verdict.of_ceiling:.2f} of the ceiling "
        f"({titles[verdict.ceiling]}), {verdict.of_triton:.2f} of Triton fed from memory."
    )


def replace_part(page: str, name: str, lines: Sequence[str]) -> str:
    """Return the page with `lines` between the marks of `name`; raises `NoPlace`."""
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    before, found, rest = page.partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise NoPlace(f"the page has no `{begin}` with an `{end}` after it: add them")
    return "\n".join([f"{before}{begin}", *lines, f"{end}{after}"])
