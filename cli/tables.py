"""Lay out a table for a terminal."""

from collections.abc import Iterable, Sequence

from rich import box
from rich.table import Table
from rich.text import Text


def table(headers: Sequence[str], rows: Iterable[Sequence[object]], *, unbroken: int = 0) -> Table:
    """Return the rows under their headers; brackets in a name are not read as markup.

    The first `unbroken` columns keep to one line; the others are broken where lines are short.
    """
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for number, header in enumerate(headers):
        made.add_column(header, overflow="fold", no_wrap=number < unbroken)
    for row in rows:
        made.add_row(*(Text(str(cell)) for cell in row))
    return made
