"""Tensors as bytes of the V2 protocol."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from inference.errors import ContractViolation
from inference.tensors import Array, UnsupportedDatatype, datatype_of
from inference.wire import tensor_bytes, tensor_from_bytes

NUMERIC = st.sampled_from(["?", "u1", "<u2", "<u4", "<u8", "i1", "<i2", "<i4", "<i8", "<f2", "<f4"])
SHAPES = hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=4)


@given(hnp.arrays(NUMERIC, SHAPES))
def test_numbers_come_back_as_they_went(array: Array) -> None:
    """Any dtype and shape, empty ones included."""
    datatype = datatype_of(array.dtype)
    wire = bytes(tensor_bytes(array, datatype))
    assert len(wire) == array.nbytes
    np.testing.assert_array_equal(tensor_from_bytes(wire, datatype, array.shape, "t"), array)


@given(st.lists(st.binary(max_size=9), max_size=8))
def test_byte_strings_come_back_as_they_went(words: list[bytes]) -> None:
    """Each element is its length and its bytes, zero bytes included."""
    array = np.array([*words, None], dtype=object)[:-1]
    wire = bytes(tensor_bytes(array, "BYTES"))
    assert len(wire) == sum(4 + len(word) for word in words)
    assert tensor_from_bytes(wire, "BYTES", array.shape, "t").tolist() == words


@given(st.floats(width=32))
def test_bfloat16_rounds_to_the_nearest(number: float) -> None:
    """Going out loses at most half a step of eight significant bits; NaN stays NaN."""
    wire = bytes(tensor_bytes(np.array([number], np.float32), "BF16"))
    back = float(tensor_from_bytes(wire, "BF16", (1,), "t")[0])
    if np.isnan(number):
        assert np.isnan(back)
    elif abs(number) < 3.38e38:
        assert abs(back - number) <= max(abs(number) * 2**-8, 2**-133)


def test_a_contiguous_array_is_not_copied() -> None:
    """The view is of the array's own memory; a strided or big-endian one is converted."""
    array = np.arange(4, dtype=np.float32)
    view = np.frombuffer(tensor_bytes(array, "FP32"), np.float32)
    assert np.shares_memory(view, array)
    assert bytes(tensor_bytes(array[::2], "FP32")) == struct.pack("<2f", 0, 2)
    assert bytes(tensor_bytes(array.astype(">f4"), "FP32")) == array.tobytes()


def test_text_in_a_bytes_tensor_is_refused() -> None:
    """An encoding must be chosen by who knows it."""
    with pytest.raises(UnsupportedDatatype, match="holds str"):
        tensor_bytes(np.array(["text"], dtype=object), "BYTES")


@pytest.mark.parametrize(
    ("content", "datatype", "shape"),
    [
        (b"12345678", "FP32", (3,)),
        (b"12345678", "FP32", (-2,)),
        (b"", "FP32", (1,)),
        (b"12345678", "FP8", (2,)),
        (struct.pack("<I", 5) + b"abc", "BYTES", (1,)),
        (struct.pack("<I", 1) + b"ab", "BYTES", (1,)),
        (struct.pack("<I", 1) + b"a", "BYTES", (2,)),
        (b"\x01", "BYTES", (1,)),
        (b"", "BYTES", (-1,)),
    ],
)
def test_a_lying_shape_is_a_contract_violation(
    content: bytes, datatype: str, shape: tuple[int, ...]
) -> None:
    """tritonclient raises a bare ValueError here, or nothing at all."""
    with pytest.raises(ContractViolation, match="output 'y'"):
        tensor_from_bytes(content, datatype, shape, "y")
