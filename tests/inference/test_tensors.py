"""Datatypes, sizes and checks of answers."""

import numpy as np
import pytest

from inference.errors import ContractViolation
from inference.tensors import (
    Array,
    InferRequest,
    UnsupportedDatatype,
    check_answer,
    datatype_of,
    itemsize,
    non_finite_rows,
    numpy_dtype,
)
from registry.domain import Signature, TensorSpec

SIGNATURE = Signature(
    inputs=(TensorSpec("x", "FP32", (-1, 2)),),
    outputs=(TensorSpec("y", "FP32", (-1, 2)), TensorSpec("label", "BYTES", (-1, -1))),
)
Y = np.ones((3, 2), dtype=np.float32)
LABEL = np.full((3, 1), b"a", dtype=object)


@pytest.mark.parametrize(
    ("datatype", "dtype", "size"),
    [
        ("BOOL", "bool", 1),
        ("UINT8", "uint8", 1),
        ("UINT16", "uint16", 2),
        ("UINT32", "uint32", 4),
        ("UINT64", "uint64", 8),
        ("INT8", "int8", 1),
        ("INT16", "int16", 2),
        ("INT32", "int32", 4),
        ("INT64", "int64", 8),
        ("FP16", "float16", 2),
        ("FP32", "float32", 4),
        ("FP64", "float64", 8),
        ("BYTES", "object", 4),
    ],
)
def test_every_datatype_has_one_dtype_and_back(datatype: str, dtype: str, size: int) -> None:
    """The table is one to one, sizes included."""
    assert numpy_dtype(datatype) == np.dtype(dtype)
    assert datatype_of(np.dtype(dtype)) == datatype
    assert itemsize(datatype) == size


def test_bfloat16_is_held_as_float32_but_travels_in_two_bytes() -> None:
    """numpy has no bfloat16, so the dtype does not lead back."""
    assert (numpy_dtype("BF16"), itemsize("BF16")) == (np.dtype("float32"), 2)
    assert datatype_of(np.dtype("float32")) == "FP32"


def test_a_big_endian_array_has_the_datatype_of_its_kind() -> None:
    """Byte order is a matter of the wire."""
    assert datatype_of(np.dtype(">f4")) == "FP32"


def test_unknown_datatypes_and_dtypes_are_named() -> None:
    """The error says what was asked for and what there is."""
    with pytest.raises(UnsupportedDatatype, match=r"'FP8'.*FP32"):
        numpy_dtype("FP8")
    with pytest.raises(UnsupportedDatatype, match=r"complex128.*float32"):
        datatype_of(np.dtype("complex128"))


def test_rows_between_shares_memory_and_names_the_piece() -> None:
    """A piece of a microbatch is a view; the whole is the request itself."""
    request = InferRequest("m", "1", {"x": Y}, ("y",), 3, request_id="job-1", priority=2)
    piece = request.rows_between(1, 3)
    assert request.rows_between(0, 3) is request
    assert (piece.rows, piece.request_id, piece.priority) == (2, "job-1[1:3]", 2)
    assert np.shares_memory(piece.inputs["x"], Y)


def test_an_answer_as_promised_passes() -> None:
    """Rows, datatypes and shapes agree; -1 takes any size."""
    check_answer(SIGNATURE, 3, {"y": Y, "label": LABEL})
    check_answer(SIGNATURE, 3, {"y": Y}, requested=("y",))


@pytest.mark.parametrize(
    ("outputs", "words"),
    [
        ({"y": Y}, "lacks output 'label'"),
        ({"y": Y[:2], "label": LABEL}, "2 rows, sent were 3"),
        ({"y": Y[:0], "label": LABEL}, "0 rows, sent were 3"),
        ({"y": np.float32(1) * np.ones(()), "label": LABEL}, "came as float64"),
        ({"y": np.ones((), np.float32), "label": LABEL}, "no rows"),
        ({"y": Y.astype(np.float64), "label": LABEL}, "came as float64, promised was FP32"),
        ({"y": np.ones((3, 3), np.float32), "label": LABEL}, r"\[3, 3\], promised was \[-1, 2\]"),
        ({"y": np.ones((3,), np.float32), "label": LABEL}, r"shape \[3\]"),
        ({"y": Y, "label": LABEL, "z": Y}, "'z' that was not promised"),
    ],
)
def test_an_answer_unlike_the_signature_is_refused(outputs: dict[str, Array], words: str) -> None:
    """Every way to break the promise is said in words."""
    with pytest.raises(ContractViolation, match=words):
        check_answer(SIGNATURE, 3, outputs)


def test_asking_for_an_output_outside_the_signature_is_refused() -> None:
    """Nothing can be checked against a promise that was not made."""
    with pytest.raises(ContractViolation, match="not in the model's signature"):
        check_answer(SIGNATURE, 3, {"z": Y}, requested=("z",))


def test_non_finite_rows_are_found_over_all_floating_outputs() -> None:
    """NaN and both infinities count, in any output; other datatypes cannot be non-finite."""
    first = np.array([[0, np.nan], [1, 2], [3, 4], [5, 6]], dtype=np.float32)
    second = np.array([1, 2, -np.inf, 4], dtype=np.float16)
    ints = np.arange(4)
    found = non_finite_rows({"a": first, "b": second, "c": ints})
    assert found.tolist() == [True, False, True, False]
    assert non_finite_rows({"a": first[:0]}).tolist() == []
    assert non_finite_rows({}).tolist() == []
