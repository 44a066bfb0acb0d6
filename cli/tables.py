"""Lay out a table for a terminal."""

from collections.abc import Iterable, Sequence

from rich import box
from rich.table import Table
from rich.text import Text


def table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    """Return the rows under their headers; brackets in a name are not read as markup."""
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for header in headers:
        made.add_column(header, overflow="fold")
    for row in rows:
        made.add_row(*(Text(str(cell)) for cell in row))
    return made
