"""Write a dataset with known scores for the model `witness`."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tests.chaos.checker import Expected

NULL_EVERY = 700
"""Every so manyth row has no value, so that it belongs into the quarantine."""


def write_lake(root: Path, *, files: int, rows: int, group_rows: int) -> Expected:
    """Write `files` files of `rows` rows, partitioned by month; returns what must become of them.

    The numbers are small whole ones, so that float32 holds every score exactly.
    """
    schema = pa.schema(
        [
            ("id", pa.int64()),
            ("note", pa.string()),
            ("number", pa.float32()),
            ("value", pa.float32()),
        ]
    )
    scored, quarantined, sizes = [], [], {}
    for month in range(1, files + 1):
        ids = range((month - 1) * rows, month * rows)
        values = [None if i % NULL_EVERY == 0 else i % 97 for i in ids]
        table = pa.table([ids, [f"row {i}" for i in ids], ids, values], schema=schema)
        key = f"month={month}/rows.parquet"
        (root / key).parent.mkdir(parents=True)
        pq.write_table(table, root / key, row_group_size=group_rows)
        sizes[key] = rows
        whole = table.append_column("month", pa.array([month] * rows, pa.int32()))
        good = whole.filter(whole["value"].is_valid())
        y = [2 * value + i for i, value in zip(ids, values, strict=True) if value is not None]
        scored.append(
            good.drop_columns(["number", "value"]).append_column("y", pa.array(y, pa.float32()))
        )
        quarantined.append(whole.filter(whole["value"].is_null()))
    return Expected(pa.concat_tables(scored), pa.concat_tables(quarantined), sizes)
