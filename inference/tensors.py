"""Describe the tensors that go to a server, come back from it or break their promise."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from inference.errors import ContractViolation
from registry.domain import Signature, TensorSpec

Array = npt.NDArray[np.generic]
Mask = npt.NDArray[np.bool_]
Parameter = bool | int | float | str

_BYTES_LENGTH_PREFIX = 4

_WIRE_DTYPES: Mapping[str, str] = {
    "BOOL": "?",
    "UINT8": "u1",
    "UINT16": "<u2",
    "UINT32": "<u4",
    "UINT64": "<u8",
    "INT8": "i1",
    "INT16": "<i2",
    "INT32": "<i4",
    "INT64": "<i8",
    "FP16": "<f2",
    "FP32": "<f4",
    "FP64": "<f8",
    "BF16": "<f4",
    "BYTES": "O",
}
"""Open Inference Protocol datatypes and how this program holds them: numpy has no bfloat16, so
BF16 is held as float32 (exact coming in, rounded to nearest even going out)."""

_DATATYPES: Mapping[np.dtype[np.generic], str] = {
    np.dtype(code): name for name, code in _WIRE_DTYPES.items() if name != "BF16"
}


class UnsupportedDatatype(ValueError):
    """A datatype that the Open Inference Protocol or this program does not have."""


class SharedBuffer(Protocol):
    """Memory that a server on the same host may have mapped."""

    @property
    def name(self) -> str:
        """The name under which servers know it."""
        ...

    def locate(self, array: Array) -> int | None:
        """Return the offset in bytes of `array` in the memory, None if it lies elsewhere."""
        ...


@dataclass(frozen=True, slots=True)
class RawTensor:
    """A tensor as it travels: neither read nor copied on its way through."""

    name: str
    """The input's or output's name."""
    datatype: str
    """Open Inference Protocol datatype."""
    shape: tuple[int, ...]
    """Every dimension, none of them negative."""
    content: bytes | memoryview
    """Little-endian, row-major, unpadded; a BYTES element is its length, UINT32, then itself."""


@dataclass(frozen=True, slots=True)
class InferRequest:
    """One microbatch or online request, ready to be sent."""

    model: str
    """The name by which the server serves the model."""
    version: str
    """The version directory; empty for the server's newest."""
    inputs: Mapping[str, Array]
    """C-contiguous arrays by input name, the rows first; BYTES are object arrays of `bytes`."""
    outputs: tuple[str, ...]
    """Outputs wanted, by name; empty for all of them."""
    rows: int
    """First dimension of every input."""
    request_id: str = ""
    """Appears in the server's log and errors."""
    priority: int = 0
    """Triton's priority: 1 goes first, 0 is the model's default."""
    datatypes: Mapping[str, str] = field(default_factory=dict)
    """Datatypes of inputs whose dtype does not tell: `BF16` for float32 arrays."""
    buffer: SharedBuffer | None = None
    """Memory in which inputs may lie; a server that has it mapped reads them there."""
    raw: tuple[RawTensor, ...] = ()
    """Inputs in their wire form, instead of `inputs`; such a request is not cut into pieces, and
    its answer is in wire form as well."""
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    """What the model itself is told besides, by names that the protocol does not reserve."""
    queue_timeout_us: int = 0
    """Longest time in Triton's queue, in microseconds; 0 is the model's default."""
    traceparent: str = ""
    """W3C trace context of whoever asks; empty without one."""

    def rows_between(self, start: int, stop: int) -> "InferRequest":
        """Return the request for rows `start` up to `stop` (not included), without copying."""
        if (start, stop) == (0, self.rows):
            return self
        return InferRequest(
            model=self.model,
            version=self.version,
            inputs={name: array[start:stop] for name, array in self.inputs.items()},
            outputs=self.outputs,
            rows=stop - start,
            request_id=self.request_id and f"{self.request_id}[{start}:{stop}]",
            priority=self.priority,
            datatypes=self.datatypes,
            buffer=self.buffer,
        )


@dataclass(frozen=True, slots=True)
class InferAnswer:
    """What a server answered."""

    outputs: Mapping[str, Array]
    """Arrays by output name, unchecked against any signature; they may be read-only."""
    server: str
    """The server that answered, by its address."""
    raw: tuple[RawTensor, ...] = ()
    """The outputs in their wire form, instead of `outputs`, where the request was so."""
    version: str = ""
    """The version directory that answered."""
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    """What the model told besides."""


def numpy_dtype(datatype: str) -> np.dtype[np.generic]:
    """Return the dtype that holds `datatype`; raises `UnsupportedDatatype`.

    BYTES gives object (elements are `bytes`), BF16 gives float32.
    """
    try:
        return np.dtype(_WIRE_DTYPES[datatype])
    except KeyError:
        raise UnsupportedDatatype(
            f"datatype {datatype!r} is not supported: use one of {', '.join(_WIRE_DTYPES)}"
        ) from None


def datatype_of(dtype: np.dtype[np.generic]) -> str:
    """Return the datatype under which `dtype` travels; raises `UnsupportedDatatype`."""
    try:
        return _DATATYPES[dtype.newbyteorder("<")]
    except KeyError:
        raise UnsupportedDatatype(
            f"numpy dtype {dtype} has no Open Inference Protocol datatype: "
            f"convert it to one of {', '.join(str(each) for each in _DATATYPES)}"
        ) from None


def itemsize(datatype: str) -> int:
    """Return the bytes of one element on the wire; for BYTES, of its length prefix alone."""
    if datatype == "BYTES":
        return _BYTES_LENGTH_PREFIX
    return 2 if datatype == "BF16" else numpy_dtype(datatype).itemsize


def check_answer(
    signature: Signature,
    request_rows: int,
    outputs: Mapping[str, Array],
    *,
    requested: tuple[str, ...] = (),
) -> None:
    """Raise `ContractViolation` unless `outputs` is what the signature promises.

    Checked: every requested output is there (all of the signature's when `requested` is empty)
    with the request's rows, its datatype and its shape. Finiteness is `non_finite_rows`.
    """
    promised = {spec.name: spec for spec in signature.outputs}
    for name in requested or tuple(promised):
        if name not in promised:
            raise ContractViolation(f"output {name!r} is not in the model's signature")
        if name not in outputs:
            raise ContractViolation(f"the answer lacks output {name!r}")
    for name, array in outputs.items():
        if name not in promised:
            raise ContractViolation(f"the answer has an output {name!r} that was not promised")
        _check_output(promised[name], request_rows, array)


def _check_output(spec: TensorSpec, rows: int, array: Array) -> None:
    if array.dtype != numpy_dtype(spec.datatype):
        raise ContractViolation(
            f"output {spec.name!r} came as {array.dtype}, promised was {spec.datatype}"
        )
    if array.ndim == 0 or array.shape[0] != rows:
        came = array.shape[0] if array.ndim else "no"
        raise ContractViolation(f"output {spec.name!r} came with {came} rows, sent were {rows}")
    fits = array.ndim == len(spec.shape) and all(
        wanted in (-1, size) for wanted, size in zip(spec.row_shape, array.shape[1:], strict=True)
    )
    if not fits:
        raise ContractViolation(
            f"output {spec.name!r} came with shape {list(array.shape)}, "
            f"promised was {list(spec.shape)}"
        )


def non_finite_rows(outputs: Mapping[str, Array]) -> Mask:
    """Return bool[rows]: True where any floating-point output of the row is NaN or infinite.

    Outputs are expected to have been through `check_answer`, so that their rows agree.
    """
    rows = next((array.shape[0] for array in outputs.values()), 0)
    bad = np.zeros(rows, dtype=np.bool_)
    for array in outputs.values():
        if np.issubdtype(array.dtype, np.floating):
            finite = np.isfinite(array.astype(array.dtype, copy=False))
            bad |= ~finite.reshape(rows, -1).all(axis=1) if rows else bad
    return bad
