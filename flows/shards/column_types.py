"""Look through the wrappers of an Arrow type: dictionaries, extensions, lists."""

import numpy as np
import pyarrow as pa


def unwrap_type(arrow_type: pa.DataType) -> pa.DataType:
    """Return the type of the values behind dictionary encoding or an extension.

    A fixed-shape tensor whose axes are permuted stays as it is: its storage is in another order.
    """
    while True:
        if isinstance(arrow_type, pa.FixedShapeTensorType) and not _in_order(arrow_type):
            return arrow_type
        if isinstance(arrow_type, pa.BaseExtensionType):
            arrow_type = arrow_type.storage_type
        elif pa.types.is_dictionary(arrow_type):
            arrow_type = arrow_type.value_type
        else:
            return arrow_type


def unwrap(array: pa.Array) -> pa.Array:
    """Return the values behind dictionary encoding or an extension; copies only to decode."""
    while True:
        if isinstance(array.type, pa.BaseExtensionType):
            array = array.storage
        elif pa.types.is_dictionary(array.type):
            array = array.dictionary_decode()
        else:
            return array


def list_levels(arrow_type: pa.DataType) -> tuple[tuple[int, ...], pa.DataType]:
    """Return the size of each level of lists, outermost first, with the type of the values.

    -1 is a level whose lists may differ in length; no levels are a column of single values.
    """
    levels: list[int] = []
    arrow_type = unwrap_type(arrow_type)
    while is_list(arrow_type):
        fixed = pa.types.is_fixed_size_list(arrow_type)
        levels.append(arrow_type.list_size if fixed else -1)
        arrow_type = unwrap_type(arrow_type.value_type)
    return tuple(levels), arrow_type


def is_list(arrow_type: pa.DataType) -> bool:
    """Tell whether the values of a type are lists; a map is not one."""
    return bool(
        pa.types.is_fixed_size_list(arrow_type)
        or pa.types.is_list(arrow_type)
        or pa.types.is_large_list(arrow_type)
        or pa.types.is_list_view(arrow_type)
        or pa.types.is_large_list_view(arrow_type)
    )


def is_text(arrow_type: pa.DataType) -> bool:
    """Tell whether the values of a type are UTF-8 text."""
    return bool(
        pa.types.is_string(arrow_type)
        or pa.types.is_large_string(arrow_type)
        or pa.types.is_string_view(arrow_type)
    )


def is_bytes(arrow_type: pa.DataType) -> bool:
    """Tell whether the values of a type are bytes of any length or a fixed one."""
    return bool(
        pa.types.is_binary(arrow_type)
        or pa.types.is_large_binary(arrow_type)
        or pa.types.is_binary_view(arrow_type)
        or pa.types.is_fixed_size_binary(arrow_type)
    )


def to_numpy(array: pa.Array) -> np.ndarray:
    """Return the values of an array without nulls: a view of Arrow's memory where it can be."""
    viewed: np.ndarray = array.to_numpy(zero_copy_only=False)
    return viewed


def _in_order(arrow_type: pa.FixedShapeTensorType) -> bool:
    permutation = arrow_type.permutation
    return permutation is None or list(permutation) == sorted(permutation)


def in_words(value: pa.Scalar) -> str:
    """Write a value for a person; any value of any type can be.

    Arrow's own way, where Python cannot: its datetimes have no nanoseconds and end with the year
    9999, its text is UTF-8, and it may not know the time zone.
    """
    try:
        return str(value.as_py())
    except (ValueError, OverflowError, LookupError):
        shown: str = unwrap(pa.repeat(value, 1)).to_string(indent=0, skip_new_lines=True)
        return shown.removeprefix("[").removesuffix("]")
