"""Turn requests to the bytes of the V2 protocol, those bytes to answers."""

import math
import struct
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import numpy as np
from tritonclient.grpc import service_pb2

from inference.errors import ContractViolation
from inference.tensors import (
    Array,
    InferAnswer,
    InferRequest,
    Parameter,
    RawTensor,
    UnsupportedDatatype,
    datatype_of,
    itemsize,
    numpy_dtype,
)

_LENGTH = struct.Struct("<I")
_RAW_CONTENTS = service_pb2.ModelInferRequest.RAW_INPUT_CONTENTS_FIELD_NUMBER
_MOST_INT64 = 2**63 - 1
_CONVERTED = {"BYTES", "BF16"}
"""Datatypes whose arrays are not held as they travel."""


def encode(request: InferRequest, *, mapped: Collection[str] = ()) -> bytes:
    """Return the serialized `ModelInferRequest`; see `encode_pieces`."""
    return b"".join(encode_pieces(request, mapped=mapped))


def encode_pieces(
    request: InferRequest, *, mapped: Collection[str] = ()
) -> list[bytes | memoryview]:
    """Return the pieces that make the serialized `ModelInferRequest` when they are joined.

    Inputs that lie in a buffer whose name is in `mapped` are sent as their place. The others
    are appended in protobuf's own wire format instead of going through a message object, so
    that each is copied when it is sent instead of three times before.
    """
    message = service_pb2.ModelInferRequest(
        model_name=request.model, model_version=request.version, id=request.request_id
    )
    contents: list[bytes | memoryview] = [
        content
        for name, array in request.inputs.items()
        if (content := _add_input(message, request, name, array, mapped)) is not None
    ]
    for tensor in request.raw:
        message.inputs.add(name=tensor.name, datatype=tensor.datatype, shape=tensor.shape)
        contents.append(tensor.content)
    for name in request.outputs:
        message.outputs.add(name=name)
    if request.priority:
        message.parameters["priority"].uint64_param = request.priority
    if request.queue_timeout_us:
        message.parameters["timeout"].int64_param = request.queue_timeout_us
    for name, value in request.parameters.items():
        _set_parameter(message.parameters[name], value)
    pieces: list[bytes | memoryview] = [message.SerializeToString()]
    for content in contents:
        pieces += (field_header(_RAW_CONTENTS, len(content)), content)
    return pieces


def _add_input(
    message: Any, request: InferRequest, name: str, array: Array, mapped: Collection[str]
) -> bytes | memoryview | None:
    """Describe an input in the message; return its bytes unless it lies in shared memory."""
    datatype = request.datatypes.get(name) or datatype_of(array.dtype)
    described = message.inputs.add(name=name, datatype=datatype, shape=array.shape)
    buffer = request.buffer
    shared = buffer is not None and buffer.name in mapped and array.nbytes > 0
    if buffer is None or not shared or datatype in _CONVERTED:
        return tensor_bytes(array, datatype)
    offset = buffer.locate(array)
    if offset is None:
        return tensor_bytes(array, datatype)
    described.parameters["shared_memory_region"].string_param = buffer.name
    described.parameters["shared_memory_byte_size"].int64_param = array.nbytes
    described.parameters["shared_memory_offset"].int64_param = offset
    return None


def _set_parameter(held: Any, value: Parameter) -> None:
    """Put a value where its type belongs; a bool is an int to Python, not to the protocol."""
    if isinstance(value, bool):
        held.bool_param = value
    elif isinstance(value, int) and value > _MOST_INT64:
        held.uint64_param = value
    elif isinstance(value, int):
        held.int64_param = value
    elif isinstance(value, float):
        held.double_param = value
    else:
        held.string_param = value


def decode(response: Any, request: InferRequest, *, server: str) -> InferAnswer:
    """Read an answer; raises `ContractViolation` where it contradicts itself.

    One to a request in wire form stays in wire form.
    """
    if len(response.outputs) != len(response.raw_output_contents):
        raise ContractViolation(
            f"{server} answered {len(response.outputs)} outputs with "
            f"{len(response.raw_output_contents)} tensors",
            server=server,
        )
    tensors = list(zip(response.outputs, response.raw_output_contents, strict=True))
    present = {tensor.name for tensor, _ in tensors}
    missing = [name for name in request.outputs if name not in present]
    if missing:
        raise ContractViolation(
            f"{server} left out output {', '.join(missing)} of model {request.model!r}",
            server=server,
        )
    if request.raw:
        return InferAnswer(
            outputs={},
            server=server,
            raw=tuple(_raw(tensor, content) for tensor, content in tensors),
            version=response.model_version,
            parameters={name: _parameter(held) for name, held in response.parameters.items()},
        )
    outputs = {
        tensor.name: tensor_from_bytes(content, tensor.datatype, tensor.shape, tensor.name)
        for tensor, content in tensors
    }
    return InferAnswer(outputs=outputs, server=server, version=response.model_version)


def _raw(tensor: Any, content: bytes) -> RawTensor:
    """Take an output as it came; what BYTES hold is looked at by whoever reads them."""
    shape = tuple(tensor.shape)
    if tensor.datatype != "BYTES":
        _check_length(content, tensor.datatype, shape, tensor.name)
    return RawTensor(tensor.name, tensor.datatype, shape, content)


def _parameter(held: Any) -> Parameter:
    value: Parameter = getattr(held, held.WhichOneof("parameter_choice") or "string_param")
    return value


def tensor_bytes(array: Array, datatype: str) -> bytes | memoryview:
    """Return the tensor as it travels: little-endian, row-major, unpadded.

    A view of the array where its memory already is what travels, else a copy.
    """
    if datatype == "BYTES":
        return _join_bytes(array)
    if datatype == "BF16":
        return _round_to_bfloat16(array).tobytes()
    wire = np.ascontiguousarray(array, dtype=numpy_dtype(datatype))
    return wire.reshape(-1).view(np.uint8).data


def tensor_from_bytes(content: bytes, datatype: str, shape: Sequence[int], name: str) -> Array:
    """Read a tensor that travelled; raises `ContractViolation` when bytes and shape disagree.

    The result is a read-only view of `content`, except for BYTES and BF16.
    """
    if datatype == "BYTES":
        elements = int(np.prod(shape, dtype=np.int64))
        return _split_bytes(content, elements, name).reshape(shape)
    dtype = _check_length(content, datatype, shape, name)
    if datatype == "BF16":
        halves = np.frombuffer(content, dtype="<u2").astype(np.uint32) << np.uint32(16)
        return halves.view(np.float32).reshape(shape)
    return np.frombuffer(content, dtype=dtype).reshape(shape)


def _check_length(
    content: bytes, datatype: str, shape: Sequence[int], name: str
) -> np.dtype[np.generic]:
    """Return the dtype that holds the numbers; raises `ContractViolation` for other bytes."""
    try:
        dtype = numpy_dtype(datatype)
    except UnsupportedDatatype as error:
        raise ContractViolation(f"output {name!r}: {error}") from error
    if min(shape, default=0) < 0 or len(content) != math.prod(shape) * itemsize(datatype):
        raise ContractViolation(
            f"output {name!r} says shape {list(shape)} of {datatype} but carries "
            f"{len(content)} bytes"
        )
    return dtype


def field_header(number: int, length: int) -> bytes:
    """Return what precedes the bytes of a length-delimited protobuf field: tag, then length."""
    return bytes((*_varint(number << 3 | 2), *_varint(length)))


def _varint(number: int) -> Iterator[int]:
    while number > 0x7F:
        yield number & 0x7F | 0x80
        number >>= 7
    yield number


def _join_bytes(array: Array) -> bytes:
    pieces: list[bytes] = []
    for element in array.ravel().tolist():
        if not isinstance(element, bytes):
            raise UnsupportedDatatype(
                f"a BYTES tensor holds {type(element).__name__}: encode every element to bytes"
            )
        pieces.append(_LENGTH.pack(len(element)))
        pieces.append(element)
    return b"".join(pieces)


def _split_bytes(content: bytes, elements: int, name: str) -> Array:
    array = np.empty(max(elements, 0), dtype=object)
    position = 0
    for index in range(elements):
        start = position + _LENGTH.size
        length = _LENGTH.unpack_from(content, position)[0] if start <= len(content) else 0
        position = start + length
        if position > len(content):
            break
        array[index] = content[start:position]
    if elements < 0 or position != len(content):
        raise ContractViolation(
            f"output {name!r} says {elements} BYTES elements but its {len(content)} bytes "
            "hold another number"
        )
    return array


def _round_to_bfloat16(array: Array) -> Array:
    wide = np.ascontiguousarray(array, dtype=np.float32)
    bits = wide.view(np.uint32)
    half_up = np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))
    rounded = ((bits + half_up) >> np.uint32(16)).astype("<u2")
    rounded[np.isnan(wide)] = 0x7FC0
    return rounded
