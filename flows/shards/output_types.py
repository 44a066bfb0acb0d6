"""Say which Arrow type a model's output is written as."""

from collections.abc import Collection

import pyarrow as pa

from flows.shards.casts import check_datatype
from flows.shards.column_errors import WrongType
from inference.tensors import numpy_dtype
from registry.domain import TensorSpec


def output_type(spec: TensorSpec, text: Collection[str]) -> pa.DataType:
    """Return the type of the column that holds an output.

    One value a row ([-1] or [-1,1]) gives a plain column; every further dimension is a level of
    lists, of fixed size where the signature says it. BF16 is written as float. BYTES are binary,
    because nothing promises that they are UTF-8, unless `text` names the output.
    """
    check_datatype(spec.datatype, f"output {spec.name!r}", spec.name)
    if spec.name in text and spec.datatype != "BYTES":
        raise WrongType(
            f"output {spec.name!r} is {spec.datatype}: only BYTES can be written as text; leave "
            "it out of --text (the job's text)",
            name=spec.name,
        )
    arrow_type = _value_type(spec, text)
    if spec.row_shape in {(), (1,)}:
        return arrow_type
    for size in reversed(spec.row_shape):
        arrow_type = pa.list_(arrow_type, size)
    return arrow_type


def _value_type(spec: TensorSpec, text: Collection[str]) -> pa.DataType:
    if spec.datatype == "BYTES":
        return pa.string() if spec.name in text else pa.binary()
    return pa.from_numpy_dtype(numpy_dtype(spec.datatype))
