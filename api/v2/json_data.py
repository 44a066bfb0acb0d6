"""Turn the JSON of a tensor to its wire form, that form to JSON."""

import struct
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from math import prod
from typing import Any

import numpy as np
import orjson

from api.problems import Refused
from api.v2.kinds import SERVER_FAILED, malformed
from inference.tensors import RawTensor, numpy_dtype

BINARY_ONLY = ("FP16", "BF16")
"""Datatypes that the protocol does not have in JSON."""

_LENGTH = struct.Struct("<I")
_INTEGERS = frozenset({int})
_NUMBERS: Mapping[str, frozenset[type]] = {
    "BOOL": frozenset({bool}),
    **{f"{sign}INT{bits}": _INTEGERS for sign in ("", "U") for bits in (8, 16, 32, 64)},
    "FP32": frozenset({int, float, type(None)}),
    "FP64": frozenset({int, float, type(None)}),
}
"""What stands for an element; null is NaN, which JSON does not have."""
_JSON_NAMES = {
    bool: "true or false",
    dict: "objects",
    float: "fractions",
    int: "numbers",
    list: "arrays",
    str: "strings",
    type(None): "null",
}
_WORDS = {
    "BOOL": "true or false",
    "FP32": "numbers, null for NaN",
    "FP64": "numbers, null for NaN",
}


def wire_form(name: str, datatype: str, shape: tuple[int, ...], data: object) -> RawTensor:
    """Return the tensor that `data`, nested as `shape` or flat, stands for; raises `Refused`."""
    if datatype in BINARY_ONLY:
        raise malformed(
            f"input {name!r}: the protocol has no {datatype} in JSON, send it as binary data"
        )
    elements = _flattened(name, shape, data)
    if datatype == "BYTES":
        return RawTensor(name, datatype, shape, _joined(name, elements))
    return RawTensor(name, datatype, shape, _numbers(name, datatype, elements))


def json_form(tensor: RawTensor) -> bytes:
    """Return the JSON of the elements, flat and row-major; raises `Refused`.

    What is not finite becomes null. Bytes that are not UTF-8 have no JSON.
    """
    if tensor.datatype in BINARY_ONLY:
        raise malformed(no_json_for(tensor.name, tensor.datatype))
    if tensor.datatype == "BYTES":
        return _strings(tensor)
    numbers = np.frombuffer(tensor.content, numpy_dtype(tensor.datatype))
    return orjson.dumps(numbers, option=orjson.OPT_SERIALIZE_NUMPY)


def no_json_for(output: str, datatype: str) -> str:
    """Say why an output cannot be answered in JSON."""
    return (
        f"output {output!r}: the protocol has no {datatype} in JSON, ask for it with `binary_data`"
    )


def bytes_elements(content: bytes | memoryview) -> list[bytes] | None:
    """Return the elements that the wire form of BYTES holds; None where it holds no whole ones."""
    elements: list[bytes] = []
    position, end = 0, len(content)
    while position < end:
        start = position + _LENGTH.size
        if start > end:
            return None
        position = start + _LENGTH.unpack_from(content, position)[0]
        if position > end:
            return None
        elements.append(bytes(content[start:position]))
    return elements


def count_bytes_elements(content: bytes | memoryview) -> int | None:
    """Return how many elements the wire form of BYTES holds; None where it is broken."""
    count, position, end = 0, 0, len(content)
    unpack, size = _LENGTH.unpack_from, _LENGTH.size
    while position + size <= end:
        position += size + unpack(content, position)[0]
        count += 1
    return count if position == end else None


def one_element(content: bytes | memoryview) -> bytes:
    """Return the wire form of BYTES with a single element."""
    return b"".join((_LENGTH.pack(len(content)), content))


def _flattened(name: str, shape: tuple[int, ...], data: object) -> Sequence[Any]:
    if not isinstance(data, list):
        raise malformed(f"input {name!r}: `data` must be an array")
    if not data or not isinstance(data[0], list):
        if len(data) != prod(shape):
            raise malformed(
                f"input {name!r}: shape {list(shape)} has {prod(shape)} elements, `data` has "
                f"{len(data)}"
            )
        return data
    return _unnested(name, shape, data)


def _unnested(name: str, shape: tuple[int, ...], data: list[Any]) -> Sequence[Any]:
    level, last = data, len(shape) - 1
    wrong = malformed(f"input {name!r}: `data` is not nested as shape {list(shape)} says")
    if not shape or len(level) != shape[0]:
        raise wrong
    for depth, size in enumerate(shape[1:], start=1):
        if any(type(row) is not list or len(row) != size for row in level):
            raise wrong
        level = list(chain.from_iterable(level))
        if depth == last:
            return level
    raise wrong


def _numbers(name: str, datatype: str, elements: Sequence[Any]) -> bytes:
    odd = set(map(type, elements)) - _NUMBERS[datatype]
    if odd:
        raise malformed(
            f"input {name!r}: {datatype} takes {_WORDS.get(datatype, 'whole numbers')}, `data` "
            f"has {_named(odd)}"
        )
    too_large = malformed(f"input {name!r}: `data` has a number that {datatype} cannot hold")
    try:
        with np.errstate(over="ignore"):
            array = np.array(elements, dtype=numpy_dtype(datatype))
    except OverflowError as error:
        raise too_large from error
    # JSON has no infinity: there is one only where a number did not fit.
    if datatype.startswith("FP") and bool(np.isinf(array).any()):
        raise too_large
    return array.tobytes()


def _named(kinds: Iterable[type]) -> str:
    return ", ".join(sorted(_JSON_NAMES[kind] for kind in kinds))


def _joined(name: str, elements: Sequence[Any]) -> bytes:
    odd = set(map(type, elements)) - {str}
    if odd:
        raise malformed(f"input {name!r}: BYTES takes strings in JSON, `data` has {_named(odd)}")
    encoded = [element.encode() for element in elements]
    return b"".join(chain.from_iterable((_LENGTH.pack(len(each)), each) for each in encoded))


def _strings(tensor: RawTensor) -> bytes:
    elements = bytes_elements(tensor.content)
    if elements is None or len(elements) != prod(tensor.shape):
        raise Refused(
            SERVER_FAILED,
            f"output {tensor.name!r}: the model answered BYTES whose lengths do not add up",
        )
    try:
        return orjson.dumps([element.decode() for element in elements])
    except UnicodeDecodeError as error:
        raise malformed(
            f"output {tensor.name!r} holds bytes that are not UTF-8: ask for it with `binary_data`"
        ) from error
