"""Find the Parquet files of a dataset, with what their footers say."""

from collections.abc import Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import unquote

import numpy as np
import pyarrow as pa

from flows.shards.admission import admitted
from flows.shards.errors import (
    ColumnClash,
    EmptyDataset,
    NoSuchInput,
    NoSuchObject,
    SchemaDrift,
)
from flows.shards.footer import Footer, read_footer
from flows.shards.object_store import ObjectInfo, ObjectStore, open_store
from flows.shards.settings import S3Settings, ShardSettings
from flows.shards.types import InputFile, RowGroup, Scalar
from flows.shards.visibility import is_hidden

_HADOOP_FOLDER = "_$folder$"
"""Ends the names of the empty objects by which Hadoop marks folders in S3."""
NULL_PARTITION = "__HIVE_DEFAULT_PARTITION__"
"""What Hive and Spark write for a partition value that is null."""


@dataclass(frozen=True, slots=True)
class DatasetFile:
    """One file of the dataset, whatever columns are read from it."""

    info: ObjectInfo
    """Where it is and what identifies its content."""
    group_rows: tuple[int, ...]
    """Rows of each row group."""
    column_bytes: np.ndarray
    """int64[row groups, columns of the dataset's schema]: uncompressed bytes."""
    partitions: tuple[tuple[str, Scalar], ...]
    """Hive partition columns read from the key, in path order."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """A dataset whose files agree about their columns."""

    uri: str
    """The address that was asked for."""
    store: ObjectStore
    """Where the files are; their keys are below its root."""
    files: tuple[DatasetFile, ...]
    """By key; files without rows included."""
    schema: pa.Schema
    """Columns that the files hold, in the first file's order; no partition columns. Any may be
    null: another file than the first may hold nulls where that says it has none."""
    partition_schema: pa.Schema
    """Hive partition columns, in path order: int64 or string."""

    @property
    def rows(self) -> int:
        """Rows of all files."""
        return sum(sum(file.group_rows) for file in self.files)

    def input_files(self, columns: Collection[str]) -> tuple[InputFile, ...]:
        """Pin the files for a job that reads `columns`, by key."""
        read = [index for index, name in enumerate(self.schema.names) if name in columns]
        return tuple(_input_file(file, read) for file in self.files)


def open_dataset(
    uri: str, s3: S3Settings, settings: ShardSettings, *, most_files: int | None = None
) -> Dataset:
    """Read the dataset at `uri`: a folder or prefix, or one Parquet file.

    Raises the errors of `list_dataset`, and `BadUri`.
    """
    s3 = admitted(uri, s3)
    store = open_store(uri, s3, inputs=True)
    parent, _, name = store.uri.rpartition("/")
    if not uri.endswith("/") and name and not parent.endswith("/"):
        above = open_store(parent or "/", s3, inputs=True)
        if above.stat(name) is not None:
            return list_dataset(above, name, settings=settings, most_files=most_files)
    return list_dataset(store, settings=settings, most_files=most_files)


def list_dataset(
    store: ObjectStore,
    prefix: str = "",
    *,
    settings: ShardSettings,
    most_files: int | None = None,
) -> Dataset:
    """Read the footers of the Parquet files whose key is `prefix` or lies below it.

    What Spark skips is skipped: names that begin with `.`, or with `_` and hold no `=`; so are
    the empty objects by which consoles and Hadoop mark folders. Folders called `name=value` give
    partition columns: int64 when every value is an integer written the shortest way (`7`, not
    `07`), else string. The order of columns may differ between files, and whether they may be
    null; everything else must agree. With `most_files` only the first files are read, for a look
    at what there is.

    Raises `NoSuchInput`, `EmptyDataset`, `NotParquet`, `CorruptFooter`, `SchemaDrift`,
    `ColumnClash`, and what the store raises.
    """
    uri = f"{store.uri}/{prefix}".rstrip("/") if prefix else store.uri
    infos = _data_objects(store, prefix, uri)
    with ThreadPoolExecutor(settings.footer_threads) as threads:
        footers = list(
            threads.map(
                lambda info: read_footer(store, info.key, settings.footer_bytes), infos[:most_files]
            )
        )
    first = footers[0]
    schema = pa.schema([field.with_nullable(True) for field in first.schema])
    for footer in footers:
        _check_same_columns(first, footer, store.uri)
    partitions, partition_schema = partitions_of([info.key for info in infos], store.uri)
    for name in partition_schema.names:
        if name in schema.names:
            where = f"{store.uri}/{first.info.key}"
            raise ColumnClash(name, where, "it is a partition folder and a column")
    files = tuple(
        DatasetFile(footer.info, footer.group_rows, footer.bytes_by(schema.names), values)
        for footer, values in zip(footers, partitions, strict=most_files is None)
    )
    return Dataset(uri, store, files, schema, partition_schema)


def _data_objects(store: ObjectStore, prefix: str, uri: str) -> list[ObjectInfo]:
    try:
        below = [
            info
            for info in store.list(prefix)
            if not prefix or info.key == prefix or info.key.startswith(f"{prefix.rstrip('/')}/")
        ]
    except NoSuchObject as error:
        raise NoSuchInput(uri) from error
    visible = [info for info in below if not is_hidden(info.key) and not _marks_folder(info)]
    if visible:
        return visible
    if below or store.root_exists():
        raise EmptyDataset(uri)
    raise NoSuchInput(uri)


def _marks_folder(info: ObjectInfo) -> bool:
    """Whether an object stands for a folder: the dataset's own, by its root, or one of Hadoop's.

    What an S3 console makes of `lake/` has no key below the root `lake`.
    """
    return not info.key or (info.key.endswith(_HADOOP_FOLDER) and not info.size)


def _check_same_columns(first: Footer, other: Footer, root: str) -> None:
    if other.schema.equals(first.schema, check_metadata=False):
        return
    theirs, ours = _types(first), _types(other)
    for name in [*theirs, *ours]:
        before, after = theirs.get(name, "missing"), ours.get(name, "missing")
        if before != after:
            one, two = (first.info.key, before), (other.info.key, after)
            raise SchemaDrift(name, root, first=one, other=two)


def _types(footer: Footer) -> dict[str, str]:
    """Each column's type; whether it may be null is left out, since writers differ in saying so."""
    return {field.name: str(field.type) for field in footer.schema}


def partitions_of(
    keys: Sequence[str], root: str
) -> tuple[list[tuple[tuple[str, Scalar], ...]], pa.Schema]:
    """Read the partition values of every key below `root`, with one type for each column.

    Raises `ColumnClash` and `SchemaDrift`.
    """
    texts = [_partition_texts(key) for key in keys]
    names = [name for name, _ in texts[0]]
    for name in names:
        if names.count(name) > 1:
            raise ColumnClash(name, f"{root}/{keys[0]}", "two folders of its path are called so")
    for key, found in zip(keys, texts, strict=True):
        if [name for name, _ in found] != names:
            name = next(iter({*names} ^ {name for name, _ in found}), names[0] if names else "")
            raise SchemaDrift(
                name,
                root,
                first=(keys[0], "a partition" if name in names else "missing"),
                other=(key, "missing" if name in names else "a partition"),
            )
    fields, columns = [], []
    for position, name in enumerate(names):
        values = [found[position][1] for found in texts]
        whole = all(value is None or _is_plain_integer(value) for value in values)
        fields.append(pa.field(name, pa.int64() if whole else pa.string()))
        columns.append([int(value) if whole and value is not None else value for value in values])
    rows = [tuple(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]
    return rows or [() for _ in keys], pa.schema(fields)


def _partition_texts(key: str) -> list[tuple[str, str | None]]:
    pairs = []
    for step in key.split("/")[:-1]:
        name, equals, value = step.partition("=")
        if equals and name:
            text = unquote(value)
            pairs.append((unquote(name), None if text == NULL_PARTITION else text))
    return pairs


def _is_plain_integer(text: str) -> bool:
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdecimal()) or len(digits) > 18:
        return False
    return str(int(text)) == text


def _input_file(file: DatasetFile, read: Iterable[int]) -> InputFile:
    sizes = file.column_bytes[:, list(read)].sum(axis=1).tolist()
    return InputFile(
        key=file.info.key,
        etag=file.info.etag,
        size=file.info.size,
        row_groups=tuple(map(RowGroup, file.group_rows, sizes)),
        partitions=dict(file.partitions),
    )
