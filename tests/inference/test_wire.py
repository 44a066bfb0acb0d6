"""Tensors as bytes of the V2 protocol."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from tritonclient.grpc import service_pb2

from inference.errors import ContractViolation
from inference.tensors import (
    Array,
    InferAnswer,
    InferRequest,
    RawTensor,
    UnsupportedDatatype,
    datatype_of,
)
from inference.wire import decode, encode, tensor_bytes, tensor_from_bytes

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


def test_a_request_in_wire_form_is_sent_as_it_is() -> None:
    """Slices of a body become the raw contents, in order; parameters keep their types."""
    body = memoryview(b"head" + struct.pack("<2f", 1, 2) + struct.pack("<I", 1) + b"a")
    request = InferRequest(
        model="m",
        version="3",
        inputs={},
        outputs=("y",),
        rows=2,
        raw=(
            RawTensor("x", "FP32", (2, 1), body[4:12]),
            RawTensor("t", "BYTES", (1,), body[12:]),
        ),
        parameters={"yes": True, "n": 7, "large": 2**64 - 1, "f": 0.5, "s": "text"},
        queue_timeout_us=20,
    )
    message = service_pb2.ModelInferRequest.FromString(encode(request))
    assert [(t.name, t.datatype, tuple(t.shape)) for t in message.inputs] == [
        ("x", "FP32", (2, 1)),
        ("t", "BYTES", (1,)),
    ]
    assert list(message.raw_input_contents) == [body[4:12], body[12:]]
    told = {name: held.WhichOneof("parameter_choice") for name, held in message.parameters.items()}
    assert told == {
        "timeout": "int64_param",
        "yes": "bool_param",
        "n": "int64_param",
        "large": "uint64_param",
        "f": "double_param",
        "s": "string_param",
    }


def test_the_answer_to_wire_form_stays_in_wire_form() -> None:
    """With the version that answered; numbers that are too few are found out all the same."""
    response = service_pb2.ModelInferResponse(model_version="3")
    response.outputs.add(name="y", datatype="BF16", shape=[2])
    response.raw_output_contents.append(b"1234")
    response.parameters["cached"].bool_param = True
    raw = (RawTensor("x", "FP32", (1,), b"1234"),)
    request = InferRequest("m", "", inputs={}, outputs=("y",), rows=1, raw=raw)
    assert decode(response, request, server="s") == InferAnswer(
        outputs={},
        server="s",
        raw=(RawTensor("y", "BF16", (2,), b"1234"),),
        version="3",
        parameters={"cached": True},
    )
    response.raw_output_contents[0] = b"123"
    with pytest.raises(ContractViolation, match="carries 3 bytes"):
        decode(response, request, server="s")
