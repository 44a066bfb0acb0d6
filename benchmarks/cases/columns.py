"""Turn columns into a request's array, as a user of Triton's client would."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa


def to_array(columns: Sequence[pa.Array], *, datatype: str, width: int) -> np.ndarray[Any, Any]:
    """Return [rows, width]: of one column of lists a view, of others a copy.

    BYTES become an object array of `str`, which Triton's client encodes.
    """
    if datatype == "BYTES":
        texts = np.empty((len(columns[0]), 1), dtype=object)
        texts[:, 0] = columns[0].to_pylist()
        return texts
    if len(columns) == 1 and width > 1:
        return np.asarray(columns[0].flatten().to_numpy()).reshape(-1, width)
    return np.stack([column.to_numpy() for column in columns], axis=1, dtype=np.float32)


def to_column(answer: np.ndarray[Any, Any], width: int) -> pa.Array:
    """Return the scores as a column: numbers, or fixed-size lists of `width`."""
    values = pa.array(answer.reshape(-1))
    return values if width == 1 else pa.FixedSizeListArray.from_arrays(values, width)
