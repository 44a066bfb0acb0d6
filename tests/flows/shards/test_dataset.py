"""A dataset is read from footers alone, and what is wrong with it is said in one line."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flows.shards.dataset import list_dataset, open_dataset
from flows.shards.errors import (
    ColumnClash,
    CorruptFooter,
    EmptyDataset,
    NoSuchInput,
    NotParquet,
    SchemaDrift,
    ShardError,
)
from flows.shards.local_files import LinkLoop
from flows.shards.object_store import ObjectStore, open_store
from flows.shards.settings import S3Settings
from flows.shards.types import RowGroup
from tests.contracts.test_object_store import s3_settings
from tests.flows.shards.jobs import SETTINGS, dataset_at, write_lake
from tests.servers.s3 import S3Endpoint


def write(root: Path, key: str, table: pa.Table, **options: object) -> None:
    """Write one file of a dataset."""
    path = root / key
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, **options)


def fails(root: Path | str, error: type[ShardError]) -> str:
    """Open a dataset that cannot be scored; returns the one line that says why."""
    with pytest.raises(error) as caught:
        dataset_at(root)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_hive_partitioned_folder(lake: Path) -> None:
    """Files come by key with their partition values, files without rows included."""
    found = dataset_at(lake)
    files = found.input_files(["id"])
    assert found.uri == str(lake)
    assert found.rows == 250
    assert found.schema == pa.schema(
        [("id", pa.int64()), ("delay", pa.float64()), ("tail", pa.string())]
    )
    assert found.partition_schema == pa.schema([("month", pa.int64())])
    assert [(file.key, file.partitions) for file in files] == [
        ("month=1/a.parquet", {"month": 1}),
        ("month=2/a.parquet", {"month": 2}),
        ("month=3/a.parquet", {"month": 3}),
    ]
    assert [group.rows for group in files[0].row_groups] == [50, 50, 20]
    assert files[0].size == (lake / "month=1/a.parquet").stat().st_size


def test_bytes_are_those_of_the_columns_read(tmp_path: Path) -> None:
    """A row group weighs what the job reads of it; nested columns weigh all their leaves."""
    table = pa.table(
        {
            "wide": np.zeros((1000,), np.float64) + np.arange(1000),
            "pair": pa.array([{"x": i, "x.y": i} for i in range(1000)]),
            "pair.z": pa.array(np.arange(1000, dtype=np.int32)),
        }
    )
    write(tmp_path, "a.parquet", table, use_dictionary=False, compression="none")
    found = dataset_at(tmp_path)
    metadata = pq.read_metadata(tmp_path / "a.parquet").row_group(0)
    sizes = [metadata.column(index).total_uncompressed_size for index in range(4)]
    assert found.input_files(["wide"])[0].row_groups == (RowGroup(1000, sizes[0]),)
    assert found.input_files(["pair"])[0].row_groups == (RowGroup(1000, sizes[1] + sizes[2]),)
    assert found.input_files(["pair.z", "wide"])[0].row_groups == (
        RowGroup(1000, sizes[0] + sizes[3]),
    )
    assert len(sizes) == metadata.num_columns
    assert found.input_files([])[0].row_groups == (RowGroup(1000, 0),)


@pytest.mark.parametrize("end", ["", "/"])
def test_address_of_a_folder_may_end_in_a_slash(lake: Path, end: str) -> None:
    """The same dataset, by either address."""
    assert dataset_at(f"{lake}{end}").uri == str(lake)


def test_one_file(lake: Path) -> None:
    """A dataset may be a single file; its folder's name gives no partition column."""
    found = dataset_at(lake / "month=1/a.parquet")
    assert [file.info.key for file in found.files] == ["a.parquet"]
    assert (found.rows, found.partition_schema.names) == (120, [])
    assert found.uri == str(lake / "month=1/a.parquet")


def test_one_file_beside_a_loop(lake: Path) -> None:
    """What else lies in its folder has no part in it."""
    (lake / "month=1/loop").symlink_to("..")
    assert dataset_at(lake / "month=1/a.parquet").rows == 120
    fails(lake, LinkLoop)


def test_relative_and_file_addresses(lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths may be relative, with '..' in them, or file addresses."""
    monkeypatch.chdir(lake)
    for uri in (".", "month=1/..", f"file://{lake}"):
        assert dataset_at(uri).uri == str(lake)
    assert dataset_at("month=1/a.parquet").rows == 120


def test_a_folder_below_the_root_of_a_store(lake: Path) -> None:
    """A prefix narrows the dataset and leaves its partition columns, and matches whole names."""
    write_lake(lake, {"month=11/a.parquet": 7})
    store = open_store(str(lake), S3Settings())
    found = list_dataset(store, "month=1", settings=SETTINGS)
    assert [file.partitions for file in found.files] == [(("month", 1),)]
    assert found.uri == str(lake / "month=1")


def test_hidden_names_are_skipped(lake: Path) -> None:
    """What Spark skips is skipped: names that begin with '_' or '.', at any depth."""
    for key in ("_SUCCESS", ".part.crc", "_old/x.txt", "month=1/_temporary/y", "month=1/.z"):
        (lake / key).parent.mkdir(exist_ok=True)
        (lake / key).write_text("not Parquet")
    assert len(dataset_at(lake).files) == 3


def test_partition_whose_name_begins_with_an_underscore(tmp_path: Path) -> None:
    """`_day=1` is data, as for Spark; with a dot in front it is none."""
    for step in ("_day=1", "_day=2", "._day=3"):
        write(tmp_path, f"{step}/a.parquet", pa.table({"x": [1]}))
    found = dataset_at(tmp_path)
    assert [file.partitions for file in found.files] == [(("_day", 1),), (("_day", 2),)]


@pytest.mark.parametrize(
    ("steps", "kind", "values"),
    [
        (["k=1", "k=-2", "k=10"], pa.int64(), [1, -2, 10]),
        (["k=1", "k=07"], pa.string(), ["1", "07"]),
        (["k=1", "k=x"], pa.string(), ["1", "x"]),
        (["k=1", "k=__HIVE_DEFAULT_PARTITION__"], pa.int64(), [1, None]),
        (["k=a%2Fb%20c", "k="], pa.string(), ["a/b c", ""]),
        (["k=1234567890123456789"], pa.string(), ["1234567890123456789"]),
        (["k=-", "k=٣"], pa.string(), ["-", "٣"]),
    ],
)
def test_partition_types(
    tmp_path: Path, steps: list[str], kind: pa.DataType, values: list[object]
) -> None:
    """One type for the whole dataset, and no digit of a value is lost."""
    for step in steps:
        write(tmp_path, f"{step}/a.parquet", pa.table({"x": [1]}))
    found = dataset_at(tmp_path)
    assert found.partition_schema == pa.schema([("k", kind)])
    by_step = {file.info.key.split("/")[0]: dict(file.partitions)["k"] for file in found.files}
    assert [by_step[step] for step in steps] == values


def test_nested_partitions(tmp_path: Path) -> None:
    """Several levels come in path order; folders that name no value are passed through."""
    write(tmp_path, "data/year=2013/=x/day=1/a.parquet", pa.table({"x": [1]}))
    found = dataset_at(tmp_path)
    assert found.files[0].partitions == (("year", 2013), ("day", 1))


def test_no_such_input(tmp_path: Path) -> None:
    """A path that is not there is named."""
    line = fails(tmp_path / "nowhere", NoSuchInput)
    assert line.startswith(f"no such input: {tmp_path}/nowhere: check")


@pytest.mark.parametrize("name", [None, "_hidden.parquet", ".hidden"])
def test_empty_dataset(tmp_path: Path, name: str | None) -> None:
    """A folder without files, or with skipped ones alone, is empty and not missing."""
    if name is not None:
        (tmp_path / name).write_bytes(b"")
    assert fails(tmp_path, EmptyDataset).startswith(f"empty dataset: {tmp_path} holds no Parquet")


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", b"PAR", b"PAR1"])
def test_not_parquet(lake: Path, content: bytes) -> None:
    """A file of another kind is named, however short it is."""
    (lake / "month=1" / "notes.csv").write_bytes(content)
    if content == b"PAR1":
        fails(lake, CorruptFooter)
        return
    found = fails(lake, NotParquet)
    assert found.startswith(f"not a Parquet file: {lake}/month=1/notes.csv (")


def test_cut_short(lake: Path) -> None:
    """A file whose end is missing begins as Parquet."""
    path = lake / "month=1" / "a.parquet"
    path.write_bytes(path.read_bytes()[:-500])
    assert fails(lake, CorruptFooter) == (
        f"corrupt Parquet footer: {lake}/month=1/a.parquet (it begins as Parquet and ends without "
        "a footer: cut short): write the file again, or move it out of the dataset"
    )


def test_footer_of_noise(lake: Path) -> None:
    """A footer that cannot be decoded names its file, with its address."""
    path = lake / "month=1" / "a.parquet"
    data = bytearray(path.read_bytes())
    data[-200:-8] = b"\xff" * 192
    path.write_bytes(data)
    assert f"footer: {path} (" in fails(lake, CorruptFooter)


def test_footer_longer_than_the_file(lake: Path) -> None:
    """A length that cannot be is not followed."""
    path = lake / "month=1" / "a.parquet"
    data = path.read_bytes()
    path.write_bytes(data[:-8] + b"\xff\xff\xff\x7fPAR1")
    assert "its footer would be" in fails(lake, CorruptFooter)


def test_encrypted_footer(lake: Path) -> None:
    """An encrypted file is told apart from a broken one."""
    path = lake / "month=1" / "a.parquet"
    path.write_bytes(path.read_bytes()[:-4] + b"PARE")
    assert "encrypted" in fails(lake, CorruptFooter)


def test_long_footer_is_fetched_whole(lake: Path) -> None:
    """A footer longer than the first guess takes a second read."""
    small = SETTINGS.model_copy(update={"footer_bytes": 64})
    assert open_dataset(str(lake), S3Settings(), small).rows == 250


def test_type_drift(lake: Path) -> None:
    """Two files with different types of one column: file, column, and both types."""
    write(lake, "month=4/a.parquet", pa.table({"id": [1], "delay": ["x"], "tail": ["y"]}))
    assert fails(lake, SchemaDrift) == (
        f"schema drift in {lake}: column 'delay' is double in month=1/a.parquet and string in "
        "month=4/a.parquet: write one of them again with the other's columns, or score them apart"
    )


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"id": [1], "delay": [0.5]}, "column 'tail' is string in month=1"),
        (
            {"id": [1], "delay": [0.5], "tail": ["x"], "new": [1]},
            "column 'new' is missing in month=1",
        ),
    ],
)
def test_missing_and_added_columns(lake: Path, table: dict[str, list[object]], words: str) -> None:
    """A column that only some files have is drift, whichever file lacks it."""
    write(lake, "month=4/a.parquet", pa.table(table))
    assert words in fails(lake, SchemaDrift)


def test_order_nullability_and_metadata_may_differ(lake: Path) -> None:
    """Files that hold the same columns agree, however they were written."""
    schema = pa.schema(
        [
            pa.field("tail", pa.string()),
            pa.field("id", pa.int64(), nullable=False),
            pa.field("delay", pa.float64(), metadata={"unit": "min"}),
        ],
        metadata={"written": "by another"},
    )
    write(lake, "month=4/a.parquet", pa.table([["x"], [1], [0.5]], schema=schema))
    found = dataset_at(lake)
    assert found.schema.names == ["id", "delay", "tail"]
    write(lake, "month=0/a.parquet", pa.table([["x"], [1], [0.5]], schema=schema))
    assert [field.nullable for field in dataset_at(lake).schema] == [True, True, True]
    (lake / "month=0/a.parquet").unlink()
    sizes = {
        file.key: file.row_groups[0].bytes
        for file in found.input_files(["tail"])
        if file.row_groups
    }
    metadata = pq.read_metadata(lake / "month=4/a.parquet").row_group(0)
    assert sizes["month=4/a.parquet"] == metadata.column(0).total_uncompressed_size


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("b.parquet", "column 'month' is a partition in month=1/a.parquet and missing in"),
        ("month=1/day=2/b.parquet", "column 'day' is missing in month=1/a.parquet and a partition"),
        ("m=1/b.parquet", ": column "),
    ],
)
def test_partition_drift(lake: Path, key: str, words: str) -> None:
    """Every file must lie in the same partition columns."""
    write(lake, key, pq.read_table(lake / "month=3/a.parquet", partitioning=None))
    with pytest.raises(SchemaDrift) as caught:
        dataset_at(lake)
    assert words.split(" is ")[0] in str(caught.value)


def test_partition_order_drift(tmp_path: Path) -> None:
    """The same partition columns in another order are drift too."""
    write(tmp_path, "a=1/b=1/x.parquet", pa.table({"x": [1]}))
    write(tmp_path, "b=1/a=1/x.parquet", pa.table({"x": [1]}))
    fails(tmp_path, SchemaDrift)


def test_partition_column_also_stored(tmp_path: Path) -> None:
    """A name that is both a folder and a column is ambiguous."""
    write(tmp_path, "x=1/a.parquet", pa.table({"x": [1]}))
    assert "it is a partition folder and a column" in fails(tmp_path, ColumnClash)


def test_partition_twice(tmp_path: Path) -> None:
    """A path may not give a column two values."""
    write(tmp_path, "k=1/k=2/a.parquet", pa.table({"x": [1]}))
    assert fails(tmp_path, ColumnClash).startswith(
        f"column 'k' is ambiguous in {tmp_path}/k=1/k=2/a.parquet: two folders of its path are"
    )


def test_column_twice(tmp_path: Path) -> None:
    """A file may not use a name for two columns."""
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["x", "x"])
    write(tmp_path, "a.parquet", table)
    line = fails(tmp_path, ColumnClash)
    assert line.startswith(f"column 'x' is ambiguous in {tmp_path}/a.parquet: ")


def copy_to(store: ObjectStore, root: Path) -> None:
    """Put every file below `root` into a store."""
    for path in root.rglob("*"):
        if path.is_file():
            store.put_if_absent(path.relative_to(root).as_posix(), path)


def test_dataset_in_s3(lake: Path, s3_endpoint: S3Endpoint) -> None:
    """A prefix of a bucket, markers of folders aside, and one object of it."""
    settings = s3_settings(s3_endpoint)
    uri = f"{s3_endpoint.uri}/lake"
    store = open_store(uri, settings)
    for marker in ("", "month=1/", "month=2_$folder$"):
        store.put_if_absent(marker, b"")
    assert [info.key for info in store.list()] == ["", "month=1/", "month=2_$folder$"]
    with pytest.raises(EmptyDataset, match=uri):
        open_dataset(uri, settings, SETTINGS)
    copy_to(store, lake)
    found = open_dataset(f"{uri}/", settings, SETTINGS)
    local = dataset_at(lake)
    assert (found.uri, found.rows, found.schema) == (uri, 250, local.schema)
    assert [file.partitions for file in found.files] == [file.partitions for file in local.files]
    one = open_dataset(f"{uri}/month=3/a.parquet", settings, SETTINGS)
    assert (one.rows, one.uri) == (130, f"{uri}/month=3/a.parquet")
    assert open_dataset(s3_endpoint.uri, settings, SETTINGS).rows == 250


def test_a_file_that_is_called_like_a_folder(lake: Path) -> None:
    """With bytes in it, it is no marker of Hadoop's."""
    (lake / "month=1" / "x_$folder$").write_bytes(b"rows")
    fails(lake, NotParquet)
    (lake / "month=1" / "x_$folder$").write_bytes(b"")
    assert len(dataset_at(lake).files) == 3


def test_nothing_in_s3(s3_endpoint: S3Endpoint) -> None:
    """An empty prefix is no input, an empty bucket is an empty dataset, a missing one no input."""
    settings = s3_settings(s3_endpoint)
    for uri, error in (
        (f"{s3_endpoint.uri}/none", NoSuchInput),
        (s3_endpoint.uri, EmptyDataset),
        ("s3://no-such-bucket/x", NoSuchInput),
        ("s3://no-such-bucket", NoSuchInput),
    ):
        with pytest.raises(error, match=uri):
            open_dataset(uri, settings, SETTINGS)


def test_leaves_of_every_kind_of_column(tmp_path: Path) -> None:
    """Lists, maps, structures, dictionaries and extension types are counted as Parquet does."""
    two = pa.array([[1, 2]], pa.list_(pa.int32(), 2))
    columns = {
        "plain": pa.array([1]),
        "list": pa.array([[1, 2]]),
        "fixed": two,
        "map": pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int64())),
        "struct": pa.array([{"a": 1, "b": [{"c": 1, "d": 2}]}]),
        "dictionary": pa.array(["x"]).dictionary_encode(),
        "uuid": pa.array([b"0" * 16], pa.uuid()),
        "tensor": pa.ExtensionArray.from_storage(pa.fixed_shape_tensor(pa.int32(), [2]), two),
    }
    for name, column in columns.items():
        write(tmp_path, f"{name}/a.parquet", pa.table({"first": [1], name: column, "last": [1]}))
        metadata = pq.read_metadata(tmp_path / f"{name}/a.parquet").row_group(0)
        (file,) = dataset_at(tmp_path / name).input_files(["last"])
        last = metadata.column(metadata.num_columns - 1).total_uncompressed_size
        assert (name, file.row_groups[0].bytes) == (name, last)
