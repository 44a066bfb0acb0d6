"""Read what planning needs of a Parquet file from its end alone."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from flows.shards.errors import ColumnClash, CorruptFooter, NotParquet
from flows.shards.object_store import ObjectInfo, ObjectStore

MAGIC = b"PAR1"
"""What a Parquet file begins and ends with."""


@dataclass(frozen=True, slots=True)
class Footer:
    """What planning needs of one Parquet file's footer; the rest would fill the memory."""

    info: ObjectInfo
    """The file."""
    schema: pa.Schema
    """The columns."""
    group_rows: tuple[int, ...]
    """Rows of each row group."""
    column_bytes: np.ndarray
    """int64[row groups, columns of this file]: uncompressed bytes."""

    def bytes_by(self, names: Sequence[str]) -> np.ndarray:
        """int64[row groups, names]: uncompressed bytes, with the columns in another order."""
        if names == self.schema.names:
            return self.column_bytes
        return self.column_bytes[:, [self.schema.names.index(name) for name in names]]


def _column_bytes(metadata: pq.FileMetaData, schema: pa.Schema) -> np.ndarray:
    """int64[row groups, columns]: the sizes of a column's leaves together."""
    leaves = np.repeat(
        np.arange(len(schema)), np.array([_leaves(field.type) for field in schema], np.int64)
    )
    sizes = np.zeros((metadata.num_row_groups, len(schema)), np.int64)
    for index in range(metadata.num_row_groups):
        group = metadata.row_group(index)
        found = [group.column(leaf).total_uncompressed_size for leaf in range(len(leaves))]
        np.add.at(sizes[index], leaves, found)
    return sizes


def _leaves(kind: pa.DataType) -> int:
    """Count the Parquet columns that hold values of an Arrow type."""
    if isinstance(kind, pa.BaseExtensionType):
        return _leaves(kind.storage_type)
    nested = [kind.field(index).type for index in range(kind.num_fields)]
    return sum(map(_leaves, nested)) if nested else 1


def read_footer(store: ObjectStore, key: str, footer_bytes: int) -> Footer:
    """Read one file's footer from its end alone, without the data.

    Raises `NotParquet`, `CorruptFooter` and `ColumnClash`.
    """
    uri = f"{store.uri}/{key}"
    tail = store.read_tail(key, footer_bytes)
    _check_magic(store, key, tail.data, tail.info.size)
    length = int.from_bytes(tail.data[-8:-4], "little") + 8
    if length > tail.info.size:
        raise CorruptFooter(uri, f"its footer would be {length} of {tail.info.size} bytes")
    if length > len(tail.data):
        tail = store.read_tail(key, length)
    try:
        metadata = pq.read_metadata(pa.BufferReader(tail.data))
        schema = metadata.schema.to_arrow_schema()
    except (pa.ArrowException, OSError) as error:
        raise CorruptFooter(uri, str(error)) from error
    for name in schema.names:
        if schema.names.count(name) > 1:
            raise ColumnClash(name, uri, "it occurs more than once")
    groups = range(metadata.num_row_groups)
    group_rows = tuple(metadata.row_group(index).num_rows for index in groups)
    return Footer(tail.info, schema, group_rows, _column_bytes(metadata, schema))


def _check_magic(store: ObjectStore, key: str, tail: bytes, size: int) -> None:
    if tail.endswith(MAGIC) and size >= 12:
        return
    uri = f"{store.uri}/{key}"
    if tail.endswith(b"PARE"):
        raise CorruptFooter(uri, "its footer is encrypted, which is not supported")
    if size == 0:
        raise NotParquet(uri, "it has no bytes")
    with store.open(key) as source:
        head = source.read(len(MAGIC))
    if head == MAGIC:
        raise CorruptFooter(uri, "it begins as Parquet and ends without a footer: cut short")
    raise NotParquet(uri, f"it begins with {head!r}")
