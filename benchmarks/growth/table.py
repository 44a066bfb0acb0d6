"""Write the table of what grows with a job."""

from collections.abc import Sequence
from itertools import pairwise

from benchmarks.growth.line import fit
from benchmarks.growth.measures import Grown, OneGroup, Size

_MEMORY_ROWS = 10
"""Times *wide* at which the memory is judged: 20 million rows."""
_GROWTH = 0.05
"""Largest growth of memory, and largest difference in time a row."""
_MEMORY_BYTES = 600e6
_LOCAL_S = 30.0
_S3_S = 60.0
_VERIFY_S = 5.0


def table(grown: Grown) -> list[str]:
    """Return its lines: what was asked for beside what was measured, and whether it was reached."""
    planning, verifying, one = grown.planning, grown.verifying, grown.one_group
    scored = one.seconds is not None
    return [
        "| rows of *wide* | seconds | µs a row | peak memory, MB |",
        "|---:|---:|---:|---:|",
        *(
            f"| {size.rows:,} | {size.seconds:.2f} | {size.us_per_row:.3f} "
            f"| {size.peak_bytes / 1e6:,.0f} |"
            for size in grown.sizes
        ),
        "",
        "| asked for | measured | |",
        "|---|---|---|",
        *_memory(grown.sizes),
        *_time(grown.sizes),
        _line(
            f"planning {planning.files:,} files of one row group in less than 30 s",
            f"{planning.local_s:.1f} s",
            planning.local_s < _LOCAL_S,
        ),
        _line(
            "the same on the S3 server in less than 60 s",
            f"{planning.s3_s:.1f} s",
            planning.s3_s < _S3_S,
        ),
        _line(
            f"a job with nothing left verifies {verifying.parts:,} parts in less than 5 s",
            f"{verifying.seconds:.1f} s",
            verifying.seconds < _VERIFY_S,
        ),
        _line(
            f"one row group of {one.file_bytes / 1e9:.1f} GB within the projected bound, "
            "or refused with the reason",
            _outcome(one),
            not scored,
        ),
    ]


def _memory(sizes: Sequence[Size]) -> list[str]:
    first, last = sizes[0], sizes[-1]
    judged = next((size for size in sizes if size.rows == _MEMORY_ROWS * first.rows), last)
    growth = judged.peak_bytes / first.peak_bytes - 1
    return [
        _line(
            f"peak memory grows less than 5 % from {first.rows:,} to {judged.rows:,} rows",
            f"{growth:+.1%}",
            growth < _GROWTH,
        ),
        _line(
            "and stays below 600 MB",
            f"{judged.peak_bytes / 1e6:,.0f} MB",
            judged.peak_bytes < _MEMORY_BYTES,
        ),
    ]


def _time(sizes: Sequence[Size]) -> list[str]:
    first = sizes[0]
    slopes = [size.us_per_row / first.us_per_row - 1 for size in sizes[1:]]
    line = fit(sizes)
    more = ", ".join(f"{_us_per_row_more(*pair):.3f}" for pair in pairwise(sizes))
    return [
        _line(f"time a row within 5 % of {first.rows:,} rows'", _percent(slopes), _within(slopes)),
        _line(
            f"each size within 5 % of {line.fixed_s:.2f} s for a job and "
            f"{line.us_per_row:.3f} µs for each row, fitted to all",
            _percent(line.residuals),
            _within(line.residuals),
        ),
        f"| µs for each row more, from size to size | {more} | |",
    ]


def _line(asked: str, measured: str, reached: bool) -> str:
    return f"| {asked} | {measured} | {'reached' if reached else '**missed**'} |"


def _percent(shares: Sequence[float]) -> str:
    return ", ".join(f"{round(share, 4) + 0.0:+.1%}" for share in shares)


def _within(shares: Sequence[float]) -> bool:
    return all(abs(share) <= _GROWTH for share in shares)


def _us_per_row_more(less: Size, more: Size) -> float:
    return (more.seconds - less.seconds) / (more.rows - less.rows) * 1e6


def _outcome(one: OneGroup) -> str:
    if one.seconds is None or one.peak_bytes is None:
        return f"refused: {one.refusal}"
    return (
        f"scored in {one.seconds:.1f} s with {one.peak_bytes / 1e6:,.0f} MB; no bound is projected"
    )
