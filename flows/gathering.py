"""Lay record batches behind one another as the inputs of one request."""

from collections import abc

import numpy as np
import pyarrow as pa

from flows.shards.encode import Allocate, Encoded, Rejection, encode
from flows.shards.mapping import Mapping
from flows.shards.types import Scalar


class Gathering:
    """Inputs that grow record batch by record batch.

    Parquet is decoded fastest in pieces that stay in a core's cache, while a request should be
    large: each piece is encoded straight to its place in the request.
    """

    def __init__(
        self,
        mapping: Mapping,
        partitions: abc.Mapping[str, Scalar],
        *,
        rows: int,
        allocate: Allocate,
    ) -> None:
        self._mapping = mapping
        self._partitions = partitions
        self._capacity = rows
        self._allocate = allocate
        self._sources: list[pa.RecordBatch] = []
        self._pieces: list[Encoded] = []
        self._whole: dict[str, np.ndarray] = {}
        self._used: dict[str, int] = {}
        self.rows = 0
        """Rows so far, those that cannot be encoded included."""

    def add(self, batch: pa.RecordBatch) -> None:
        """Encode the rows of `batch` behind those that are there; they must fit."""
        self._pieces.append(
            encode(batch, self._mapping, partitions=self._partitions, allocate=self._place)
        )
        # What was read for the inputs alone is let go: it is the most of a wide row.
        self._sources.append(batch.select(list(self._mapping.kept_columns)))
        self.rows += batch.num_rows

    def source(self) -> pa.RecordBatch:
        """Return the rows as they were read, with the columns that the part keeps."""
        return self._sources[0] if len(self._sources) == 1 else pa.concat_batches(self._sources)

    def encoded(self) -> Encoded:
        """Return all of it as one batch's inputs."""
        if len(self._pieces) == 1:
            return self._pieces[0]
        rejected: list[Rejection] = []
        start = 0
        for piece in self._pieces:
            rejected += [each._replace(row=each.row + start) for each in piece.rejected]
            start += len(piece.accepted)
        names = self._pieces[0].inputs
        return Encoded(
            {name: self._input(name) for name in names},
            np.concatenate([piece.accepted for piece in self._pieces]),
            tuple(rejected),
        )

    def _input(self, name: str) -> np.ndarray:
        if name in self._whole:
            return self._whole[name][: self._used[name]]
        return np.concatenate([piece.inputs[name] for piece in self._pieces])

    def _place(self, name: str, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        """Return the rows of an input behind those that are in use."""
        if name not in self._whole:
            self._whole[name] = self._allocate(name, (self._capacity, *shape[1:]), dtype)
            self._used[name] = 0
        start = self._used[name]
        self._used[name] = start + shape[0]
        return self._whole[name][start : start + shape[0]]
