"""Bodies that are nothing but one row."""

import struct

import pytest

from api.problems import Refused
from api.v2.raw_requests import read_raw_request
from api.v2.requests import InferenceRequest
from inference.tensors import RawTensor
from registry.domain import TensorSpec
from tests.api.v2.test_reading import T, X, floats, model


@pytest.mark.parametrize(
    ("spec", "body", "shape", "content"),
    [
        (X, floats(1, 2, 3), (1, 3), floats(1, 2, 3)),
        (TensorSpec("r", "INT16", (-1, -1)), b"123456", (1, 3), b"123456"),
        (TensorSpec("r", "INT16", (4,)), b"12345678", (4,), b"12345678"),
        (T, b"ab", (1, 1), struct.pack("<I", 2) + b"ab"),
    ],
)
def test_a_raw_body_is_one_row(
    spec: TensorSpec, body: bytes, shape: tuple[int, ...], content: bytes
) -> None:
    """Of a known shape, of one that the bytes tell, of text; everything comes back as bytes."""
    tensor = RawTensor(spec.name, spec.datatype, shape, content)
    expected = InferenceRequest(inputs=(tensor,), binary_outputs=True)
    assert read_raw_request(body, model(spec)) == expected


@pytest.mark.parametrize(
    ("specs", "body"),
    [
        ((X, T), b""),
        ((X,), b"1"),
        ((X,), floats(1, 2)),
        ((X,), b""),
        ((TensorSpec("r", "FP32", (-1, -1, -1)),), floats(1)),
        ((TensorSpec("r", "FP32", (-1, 2, -1)),), floats(1)),
    ],
)
def test_a_raw_body_that_cannot_be_a_row_is_refused(
    specs: tuple[TensorSpec, ...], body: bytes
) -> None:
    """Several inputs, too few bytes, too many dimensions that nobody knows."""
    with pytest.raises(Refused) as raised:
        read_raw_request(body, model(*specs))
    assert raised.value.kind.status == 400
