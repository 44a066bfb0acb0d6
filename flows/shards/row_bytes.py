"""Tell how many bytes decoded rows take."""

import pyarrow as pa


def row_width(schema: pa.Schema) -> int | None:
    """Return the bytes of a row whose columns all have a fixed size; None for other rows.

    What a file says of its size does not tell: a text that is repeated is stored once.
    """
    widths = [_width(field.type) for field in schema]
    known = [width for width in widths if width is not None]
    return sum(known) if len(known) == len(widths) else None


def decoded_bytes(batch: pa.RecordBatch) -> int:
    """Return the bytes of the rows; of a dictionary, which batches share, the indices alone."""
    if not any(pa.types.is_dictionary(field.type) for field in batch.schema):
        return int(batch.nbytes)
    return sum(
        column.indices.nbytes if pa.types.is_dictionary(column.type) else column.nbytes
        for column in batch.columns
    )


def _width(kind: pa.DataType) -> int | None:
    if isinstance(kind, pa.BaseExtensionType):
        return _width(kind.storage_type)
    if pa.types.is_null(kind):
        return 0
    if pa.types.is_dictionary(kind):
        return _width(kind.index_type)
    if pa.types.is_fixed_size_list(kind):
        each = _width(kind.value_type)
        return None if each is None else int(each * kind.list_size)
    if pa.types.is_struct(kind):
        return row_width(pa.schema([kind.field(index) for index in range(kind.num_fields)]))
    try:
        return max(1, int(kind.bit_width) // 8)
    except ValueError:
        return None
