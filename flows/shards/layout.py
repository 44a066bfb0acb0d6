"""Lay columns out along the dimensions of an input."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from flows.shards.casts import Cast
from flows.shards.column_errors import WrongShape
from registry.domain import TensorSpec


@dataclass(frozen=True, slots=True)
class Source:
    """One column that feeds an input."""

    column: str
    """Its name in the dataset."""
    is_partition: bool
    """Whether its value comes from the file's path."""
    levels: tuple[int, ...]
    """Values that each list must hold, outermost level first; -1 where a batch decides; empty
    for a column of single values."""
    cast: Cast
    """How its values become the tensor's datatype."""

    @property
    def width(self) -> int:
        """Values that it gives to each row; needs levels without -1."""
        return math.prod(self.levels)


@dataclass(frozen=True, slots=True)
class ColumnEncoder:
    """How columns become one input: their values side by side, in row-major order."""

    spec: TensorSpec
    """The input."""
    sources: tuple[Source, ...]
    """The columns, in the order in which they are stacked."""
    row_shape: tuple[int, ...]
    """Dimensions of one row; -1 only where lists of varying length decide."""

    @property
    def is_ragged(self) -> bool:
        """Whether rows with lists of different lengths can occur."""
        return -1 in self.row_shape


def lay_out(
    spec: TensorSpec, columns: Sequence[tuple[str, tuple[int, ...]]]
) -> tuple[tuple[tuple[int, ...], ...], tuple[int, ...]]:
    """Return the list levels that each column must have with the resolved row shape.

    `columns` are (name, levels of its type, -1 where lists vary).

    1. one column nested as deep as the row has dimensions: each level is a dimension
    2. columns of single values or plain lists: side by side, as many values as the row takes; at
       most one of them may be a list of varying length, which then must hold the rest

    Raises `WrongShape`.
    """
    if len(columns) == 1 and columns[0][1] and len(columns[0][1]) == len(spec.row_shape):
        name, found = columns[0]
        levels = tuple(
            _agree(spec, name, size, wanted)
            for size, wanted in zip(found, spec.row_shape, strict=True)
        )
        return (levels,), levels
    for name, found in columns:
        if len(found) > 1:
            raise WrongShape(
                f"column {name!r} has lists nested {len(found)} deep, input {spec} has "
                f"{len(spec.row_shape)} dimensions a row: nest them as deep, or write flat lists",
                name=name,
            )
    widths = _fill_in(spec, columns)
    row_shape = _resolve(spec, sum(widths), [name for name, _ in columns])
    return tuple(
        (width,) if found else () for (_, found), width in zip(columns, widths, strict=True)
    ), row_shape


def _agree(spec: TensorSpec, name: str, size: int, wanted: int) -> int:
    """Return the size of one dimension, from the column's type or the signature."""
    if size == -1 or wanted == -1:
        return max(size, wanted)
    if size != wanted:
        raise WrongShape(
            f"column {name!r} has lists of {size} values, input {spec} takes {wanted}: "
            f"map a column of {wanted}, or another version of the model",
            name=name,
        )
    return size


def _fill_in(spec: TensorSpec, columns: Sequence[tuple[str, tuple[int, ...]]]) -> list[int]:
    """Return the values that each column gives to a row; a varying list takes what is left."""
    widths = [found[0] if found else 1 for _, found in columns]
    varying = [k for k, width in enumerate(widths) if width == -1]
    if not varying:
        return widths
    name = columns[varying[0]][0]
    left = math.prod(spec.row_shape) - sum(widths) - 1
    if len(varying) > 1 or -1 in spec.row_shape or left < 1:
        raise WrongShape(
            f"column {name!r} has lists of varying length, and beside the other columns of input "
            f"{spec} its length cannot be told: write it as a fixed-size list",
            name=name,
        )
    widths[varying[0]] = left
    return widths


def _resolve(spec: TensorSpec, values: int, names: Sequence[str]) -> tuple[int, ...]:
    """Return the row's shape for so many values; one dimension may still be open."""
    known = math.prod(size for size in spec.row_shape if size != -1)
    unknown = spec.row_shape.count(-1)
    if unknown == 0 and known == values:
        return spec.row_shape
    if unknown == 1 and known and values % known == 0:
        return tuple(values // known if size == -1 else size for size in spec.row_shape)
    wanted = f"{known}" if not unknown else "a multiple of the known dimensions"
    raise WrongShape(
        f"input {spec} takes {wanted} values a row, {_listing(names)} give {values}: map as many "
        "columns as it takes, in its order",
        name=spec.name,
    )


def _listing(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:4])
    return f"columns {shown}" + (f" and {len(names) - 4} more" if len(names) > 4 else "")
