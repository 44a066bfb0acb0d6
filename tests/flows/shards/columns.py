"""Make signatures, mappings and batches for the tests of columns."""

from collections import abc
from collections.abc import Collection, Sequence

import pyarrow as pa

from flows.shards.mapping import Keep, Mapping, compile_mapping
from registry.domain import Signature, TensorSpec

NO_PARTITIONS: pa.Schema = pa.schema([])


def spec(name: str, datatype: str, *row_shape: int) -> TensorSpec:
    """An input or output; the rows come first, by themselves."""
    return TensorSpec(name, datatype, (-1, *row_shape))


def signature(*inputs: TensorSpec, outputs: Sequence[TensorSpec] = ()) -> Signature:
    """A model of these inputs, with one output `score` unless told otherwise."""
    return Signature(inputs, tuple(outputs) or (spec("score", "FP32", 1),))


def mapping(
    model: Signature,
    schema: pa.Schema,
    partitions: pa.Schema = NO_PARTITIONS,
    *,
    columns: abc.Mapping[str, Sequence[str]] | None = None,
    keep: Keep = "rest",
    rename: abc.Mapping[str, str] | None = None,
    casts: Collection[str] = (),
    registered: abc.Mapping[str, Sequence[str]] | None = None,
    text: Collection[str] = (),
) -> Mapping:
    """Compile a mapping, everything that is not given at the job's defaults."""
    return compile_mapping(
        model,
        schema,
        partitions,
        columns=columns or {},
        keep=keep,
        rename=rename or {},
        casts=casts,
        registered=registered or {},
        text=text,
    )
