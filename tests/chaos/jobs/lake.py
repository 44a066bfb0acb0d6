"""Write a dataset with known scores for the model `witness`."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tests.chaos.checker import Expected

_SCHEMA = pa.schema(
    [
        ("id", pa.int64()),
        ("note", pa.string()),
        ("number", pa.float32()),
        ("value", pa.float32()),
    ]
)


@dataclass(frozen=True, slots=True)
class Lake:
    """A dataset that was written."""

    rows: pa.Table
    """All of it, with the partition column."""
    files: Mapping[str, int]
    """Rows of each file, by its path below the root."""

    def expected(self, also_bad: Iterable[int] = ()) -> Expected:
        """Say what must become of it; the model is at fault at the rows `also_bad`.

        Numbers are small and whole, so that float32 holds every score exactly.
        """
        bad = pc.or_(
            self.rows["value"].is_null(),
            pc.is_in(self.rows["id"], pa.array(also_bad, pa.int64())),
        )
        good = self.rows.filter(pc.invert(bad))
        y = pc.add(pc.multiply(good["value"], pa.scalar(2, pa.float32())), good["number"])
        kept = good.drop_columns(["number", "value"]).append_column("y", y)
        return Expected(kept, self.rows.filter(bad), self.files)


def write_lake(
    root: Path, *, files: int, rows: int, group_rows: int, null_every: int | None = None
) -> Lake:
    """Write `files` files of `rows` rows, partitioned by month, their ids counting on.

    A row in `null_every` has no value, so that it belongs into the quarantine.
    """
    whole, sizes = [], {}
    for month in range(1, files + 1):
        ids = range((month - 1) * rows, month * rows)
        values = [None if null_every and i % null_every == 0 else i % 97 for i in ids]
        table = pa.table([ids, [f"row {i}" for i in ids], ids, values], schema=_SCHEMA)
        key = f"month={month}/rows.parquet"
        (root / key).parent.mkdir(parents=True)
        pq.write_table(table, root / key, row_group_size=group_rows)
        sizes[key] = rows
        whole.append(table.append_column("month", pa.array([month] * rows, pa.int32())))
    return Lake(pa.concat_tables(whole), sizes)
