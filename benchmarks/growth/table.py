"""Write the table of what grows with a job."""

from itertools import pairwise

from benchmarks.growth.measures import Grown, OneGroup, Size

_MEMORY_ROWS = 10
"""Times *wide* at which the memory is judged: 20 million rows."""


def table(grown: Grown) -> list[str]:
    """Return its lines: what was asked for beside what was measured."""
    sizes, planning, verifying = grown.sizes, grown.planning, grown.verifying
    first, last = sizes[0], sizes[-1]
    judged = next((size for size in sizes if size.rows == _MEMORY_ROWS * first.rows), last)
    slopes = [size.us_per_row / first.us_per_row - 1 for size in sizes[1:]]
    more = [_us_per_row_more(*pair) for pair in pairwise(sizes)]
    lines = [
        "| rows of *wide* | seconds | µs a row | peak memory, MB |",
        "|---:|---:|---:|---:|",
        *(
            f"| {size.rows:,} | {size.seconds:.2f} | {size.us_per_row:.3f} "
            f"| {size.peak_bytes / 1e6:,.0f} |"
            for size in sizes
        ),
        "",
        "| asked for | measured |",
        "|---|---|",
        f"| peak memory grows less than 5 % from {first.rows:,} to {judged.rows:,} rows "
        f"| {judged.peak_bytes / first.peak_bytes - 1:+.1%} |",
        f"| and stays below 600 MB | {judged.peak_bytes / 1e6:,.0f} MB |",
        f"| time a row within 5 % of {first.rows:,} rows' "
        f"| {', '.join(f'{slope:+.1%}' for slope in slopes)} |",
        "| the same without what every job costs: µs for each row more, from size to size "
        f"| {', '.join(f'{one:.3f}' for one in more)} |",
        f"| planning {planning.files:,} files of one row group in less than 30 s "
        f"| {planning.local_s:.1f} s |",
        f"| the same on the S3 server in less than 60 s | {planning.s3_s:.1f} s |",
        f"| a job with nothing left verifies {verifying.parts:,} parts in less than 5 s "
        f"| {verifying.seconds:.1f} s |",
    ]
    one = grown.one_group
    return [*lines, f"| one row group of {one.file_bytes / 1e9:.1f} GB | {_outcome(one)} |"]


def _us_per_row_more(less: Size, more: Size) -> float:
    return (more.seconds - less.seconds) / (more.rows - less.rows) * 1e6


def _outcome(one: OneGroup) -> str:
    if one.seconds is None or one.peak_bytes is None:
        return f"refused: {one.refusal}"
    return f"scored in {one.seconds:.1f} s with {one.peak_bytes / 1e6:,.0f} MB"
