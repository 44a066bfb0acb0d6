"""Bodies of inference requests: what is read, what is refused with which words."""

import struct
from contextlib import suppress
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.online.port import Description
from api.problems import Refused
from api.v2.reading import check_binary, read_head, split
from api.v2.requests import InferenceRequest, WantedOutput
from inference.tensors import RawTensor
from registry.domain import TensorSpec

X = TensorSpec("x", "FP32", (-1, 3))
T = TensorSpec("t", "BYTES", (-1, 1))
Y = TensorSpec("y", "FP32", (-1,))
HALF = TensorSpec("half", "FP16", (-1,))


def model(
    *inputs: TensorSpec, rows: int = 0, outputs: tuple[TensorSpec, ...] = (Y,)
) -> Description:
    """Return a model that takes these."""
    return Description("m", "1", ("1",), "", inputs, outputs, rows)


def sent(spec: TensorSpec, shape: list[int], **parts: Any) -> dict[str, Any]:
    """Return an input of a request."""
    return {"name": spec.name, "datatype": spec.datatype, "shape": shape, **parts}


def read(told: Any, behind: bytes = b"", of: Description | None = None) -> InferenceRequest:
    """Read a request of JSON that bytes follow."""
    text = told if isinstance(told, bytes) else orjson.dumps(told)
    head, rest = split(text + behind, len(text))
    return read_head(head, len(rest), of or model(X)).complete(rest)


def floats(*numbers: float) -> bytes:
    """Return numbers as they travel."""
    return struct.pack(f"<{len(numbers)}f", *numbers)


@pytest.mark.parametrize("data", [[1, 2.5, 3, 4, 5, 6], [[1, 2.5, 3], [4, 5, 6]]])
def test_json_is_nested_or_flat(data: list[Any]) -> None:
    """Row-major either way; unknown members are ignored, as KServe's client sends some."""
    told = {"model_name": "m", "id": "7", "inputs": [sent(X, [2, 3], data=data)]}
    expected = RawTensor("x", "FP32", (2, 3), floats(1, 2.5, 3, 4, 5, 6))
    assert read(told) == InferenceRequest(inputs=(expected,), id="7")


def test_binary_tensors_are_slices_of_the_body() -> None:
    """In the inputs' order, beside one that is JSON; nothing is copied."""
    words = struct.pack("<I", 2) + b"ab"
    told = {
        "inputs": [
            sent(T, [1, 1], parameters={"binary_data_size": len(words)}),
            sent(X, [1, 3], parameters={"binary_data_size": 12}),
        ]
    }
    request = read(told, words + floats(1, 2, 3), model(X, T))
    assert [(each.name, bytes(each.content)) for each in request.inputs] == [
        ("t", words),
        ("x", floats(1, 2, 3)),
    ]
    contents = [each.content for each in request.inputs]
    assert all(isinstance(content, memoryview) for content in contents)
    assert len({id(content.obj) for content in contents if isinstance(content, memoryview)}) == 1


def test_text_is_utf_8_with_its_length_in_front() -> None:
    """Nested or flat, the empty one included."""
    told = {"inputs": [sent(T, [2, 1], data=[["é"], [""]])]}
    (tensor,) = read(told, of=model(T)).inputs
    assert tensor.content == struct.pack("<I", 2) + "é".encode() + struct.pack("<I", 0)


def test_parameters_are_told_apart() -> None:
    """What the protocol reserves is read here, the rest is the model's; null is nothing."""
    told = {
        "parameters": {
            "binary_data_output": True,
            "priority": 2,
            "timeout": 5_000_000,
            "headers": {"a": "b"},
            "sequence_id": 0,
            "content_type": "np",
            "temperature": 0.5,
            "nothing": None,
        },
        "inputs": [sent(X, [1, 3], data=[1, 2, 3])],
        "outputs": [{"name": "y", "parameters": {"binary_data": False}}],
    }
    request = read(told)
    assert request.outputs == (WantedOutput("y", binary=False),)
    assert (request.priority, request.timeout_us) == (2, 5_000_000)
    assert request.parameters == {"content_type": "np", "temperature": 0.5}
    assert not request.is_binary("y")
    assert request.is_binary("another")


GOOD = sent(X, [1, 3], data=[1, 2, 3])
BINARY = sent(X, [1, 3], parameters={"binary_data_size": 12})
WRONG: list[tuple[Any, bytes, str]] = [
    (b"{", b"", "the JSON cannot be read"),
    (b"[NaN]", b"", "the JSON cannot be read"),
    (b'{"id":"\\ud800"}', b"", "the JSON cannot be read"),
    ([], b"", "the body must be a JSON object"),
    ({}, b"", "`inputs` must be an array"),
    ({"inputs": []}, b"", "`inputs` must be an array"),
    ({"inputs": ["x"]}, b"", "each of `inputs` must be a JSON object"),
    ({"inputs": [{"name": "x"}]}, b"", "needs `name` and `datatype`"),
    ({"inputs": [GOOD], "id": 7}, b"", "`id` must be a string"),
    ({"inputs": [GOOD, GOOD]}, b"", "an input is there twice"),
    ({"inputs": [GOOD]}, b"1", "announce 0 bytes of binary data, 1 follow"),
    ({"inputs": [BINARY]}, b"1" * 11, "announce 12 bytes of binary data, 11 follow"),
    ({"inputs": [BINARY]}, b"1" * 13, "announce 12 bytes of binary data, 13 follow"),
    ({"inputs": [BINARY | {"data": [1, 2, 3]}]}, b"1" * 12, "not both"),
    ({"inputs": [sent(X, [1, 3])]}, b"", "not neither"),
    ({"inputs": [sent(X, [1, 3], parameters={"binary_data_size": 11})]}, b"", "has 12 bytes"),
    ({"inputs": [sent(X, [1, 3], parameters={"binary_data_size": True})]}, b"", "number of bytes"),
    ({"inputs": [sent(X, [1, 3], parameters={"shared_memory_region": "r"})]}, b"", "shared memory"),
    ({"inputs": [sent(X, [1, -3], data=[1])]}, b"", "none negative"),
    ({"inputs": [sent(X, [True, 3], data=[1])]}, b"", "`shape` must be an array of whole"),
    ({"inputs": [sent(X, [2, 3], data=[1, 2, 3])]}, b"", "has 6 elements, `data` has 3"),
    ({"inputs": [sent(X, [2, 3], data=[[1, 2], [3, 4]])]}, b"", "not nested as shape"),
    ({"inputs": [sent(X, [1, 3], data=[1, [2], 3])]}, b"", "has arrays"),
    ({"inputs": [sent(X, [1, 3], data={"a": 1})]}, b"", "`data` must be an array"),
    ({"inputs": [sent(X, [1, 3], data=[1, True, "a"])]}, b"", "has strings, true or false"),
    ({"inputs": [sent(X, [1, 3], data=[1, 2, 1e39])]}, b"", "FP32 cannot hold"),
    ({"inputs": [GOOD], "outputs": [{"name": "z"}]}, b"", "no output 'z'; expected y FP32"),
    ({"inputs": [GOOD], "outputs": [{"name": "y"}, {"name": "y"}]}, b"", "wanted twice"),
    (
        {"inputs": [GOOD], "outputs": [{"name": "y", "parameters": {"classification": 3}}]},
        b"",
        "classification is not offered",
    ),
    ({"inputs": [GOOD], "parameters": {"sequence_id": 7}}, b"", "sequences are not offered"),
    ({"inputs": [GOOD], "parameters": {"triton_x": 7}}, b"", "'triton_x' is reserved"),
    ({"inputs": [GOOD], "parameters": {"a": [1]}}, b"", "'a' must be a string, a number"),
    ({"inputs": [GOOD], "parameters": {"priority": -1}}, b"", "`priority` must be a whole number"),
    ({"inputs": [GOOD], "parameters": {"binary_data_output": 1}}, b"", "must be true or false"),
    ({"inputs": [GOOD | {"name": "a"}]}, b"", "no input 'a'; expected x FP32"),
    ({"inputs": [GOOD | {"datatype": "FP64"}]}, b"", r"sent as FP64; expected x FP32\[-1, 3\]"),
    ({"inputs": [GOOD | {"shape": [3]}]}, b"", r"with shape \[3\]; expected x FP32\[-1, 3\]"),
    ({"inputs": [GOOD | {"shape": [3, 1]}]}, b"", r"with shape \[3, 1\]; expected"),
]


@pytest.mark.parametrize(("told", "behind", "words"), WRONG, ids=[each[2] for each in WRONG])
def test_what_does_not_add_up_is_refused(told: Any, behind: bytes, words: str) -> None:
    """Always 400, with words that say what is wrong."""
    with pytest.raises(Refused, match=words) as raised:
        read(told, behind)
    assert raised.value.kind.status == 400


def test_a_program_is_told_what_was_expected() -> None:
    """As tensors, not as words."""
    with pytest.raises(Refused) as raised:
        read({"inputs": [GOOD | {"name": "a"}]})
    expected = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 3]}]}
    assert raised.value.members == {"expected": expected}


def test_every_input_that_must_be_is_there() -> None:
    """One that a model can do without may be left out."""
    of = model(X, T)
    with pytest.raises(Refused, match="needs input t as well"):
        read({"inputs": [GOOD]}, of=of)
    lenient = Description("m", "1", (), "", (X, T), (Y,), 0, optional_inputs=frozenset({"t"}))
    assert len(read({"inputs": [GOOD]}, of=lenient).inputs) == 1


@pytest.mark.parametrize("rows", [0, 3])
def test_a_model_has_its_limit_of_rows(rows: int) -> None:
    """None is too few as well."""
    told = {"inputs": [sent(X, [rows, 3], data=[0] * 3 * rows)]}
    with pytest.raises(Refused, match="takes 1 to 2 at a time"):
        read(told, of=model(X, rows=2))


def test_half_floats_have_no_json() -> None:
    """Neither in nor out; the words say how to ask for it."""
    told = {"inputs": [sent(HALF, [1], data=[1])]}
    with pytest.raises(Refused, match="no FP16 in JSON, send it as binary"):
        read(told, of=model(HALF))
    out = {"inputs": [GOOD], "outputs": [{"name": "half"}]}
    with pytest.raises(Refused, match="no FP16 in JSON, ask for it with `binary_data`"):
        read(out, of=model(X, outputs=(HALF,)))


@pytest.mark.parametrize(
    ("datatype", "number", "fits"),
    [
        *(("UINT8", 255, True), ("UINT8", 256, False), ("UINT8", -1, False)),
        *(("INT64", 2**63, False), ("UINT64", 2**64 - 1, True), ("INT8", 1.0, False)),
        *(("BOOL", 1, False), ("FP64", 7, True)),
    ],
)
def test_numbers_must_fit(datatype: str, number: float, fits: bool) -> None:
    """A number is never cut, rounded to a whole one or taken for a truth."""
    spec = TensorSpec("n", datatype, (-1,))
    told = {"inputs": [sent(spec, [1], data=[number])]}
    if fits:
        assert len(read(told, of=model(spec)).inputs) == 1
        return
    with pytest.raises(Refused, match=datatype):
        read(told, of=model(spec))


def test_a_length_beyond_the_body_is_refused() -> None:
    """The header counts the JSON of the body that it comes with."""
    with pytest.raises(Refused, match="says 3, the body has 2 bytes"):
        split(b"{}", 3)


@given(st.lists(st.binary(max_size=5), max_size=5), st.integers(0, 6))
def test_binary_text_has_as_many_elements_as_its_shape(words: list[bytes], count: int) -> None:
    """No fewer, no more, none cut off."""
    content = b"".join(struct.pack("<I", len(word)) + word for word in words)
    if count == len(words):
        check_binary(RawTensor("t", "BYTES", (count, 1), content))
    else:
        with pytest.raises(Refused, match=f"hold {len(words)}"):
            check_binary(RawTensor("t", "BYTES", (count, 1), content))
    with pytest.raises(Refused, match="cut off"):
        check_binary(RawTensor("t", "BYTES", (len(words) + 1, 1), content + b"\x01"))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
PARTS = ("name", "datatype", "shape", "data", "parameters", "inputs", "outputs", "id")


@settings(max_examples=40)
@given(
    st.dictionaries(st.sampled_from(PARTS), JSON),
    st.dictionaries(st.sampled_from(PARTS), JSON),
    st.binary(max_size=16),
)
def test_whatever_is_sent_is_read_or_refused(
    tensor: dict[str, Any], request: dict[str, Any], behind: bytes
) -> None:
    """Nothing else happens to whoever sends it, and nothing wrong gets through."""
    told = {"inputs": [GOOD | tensor], "outputs": [{"name": "y"}]} | request
    with suppress(Refused):
        assert read(told, behind).inputs


def test_null_is_not_a_number() -> None:
    """JSON has no NaN; what is written as null is read as null."""
    (tensor,) = read({"inputs": [sent(X, [1, 3], data=[None, 1, 2])]}).inputs
    np.testing.assert_array_equal(np.frombuffer(tensor.content, "<f4"), [np.nan, 1, 2])
