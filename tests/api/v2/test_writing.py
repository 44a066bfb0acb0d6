"""Bodies of answers."""

import struct

import orjson
import pytest

from api.online.port import OnlineAnswer
from api.problems import Refused
from api.v2.json_data import json_form
from api.v2.requests import InferenceRequest, WantedOutput
from api.v2.writing import Written, write_answer
from inference.tensors import RawTensor

A = RawTensor("a", "FP32", (2,), struct.pack("<2f", 1, float("nan")))
B = RawTensor("b", "BYTES", (1,), struct.pack("<I", 2) + "é".encode())


def test_binary_follows_the_json_in_the_order_wanted() -> None:
    """Untouched; the JSON tells the sizes, the version and the variant that answered."""
    wanted = (WantedOutput("b", binary=True), WantedOutput("a", binary=False))
    request = InferenceRequest(inputs=(), outputs=wanted, id="7")
    answer = OnlineAnswer("m", "3", "canary", "server", (A, B), {"cached": True})
    body = write_answer(request, answer, {"a": json_form(A)})
    told = {
        "model_name": "m",
        "model_version": "3",
        "id": "7",
        "parameters": {"cached": True, "variant": "canary"},
        "outputs": [
            {
                "name": "b",
                "shape": [1],
                "datatype": "BYTES",
                "parameters": {"binary_data_size": 6},
            },
            {"name": "a", "shape": [2], "datatype": "FP32", "data": [1.0, None]},
        ],
    }
    text = body.pieces[0]
    assert orjson.loads(text) == told
    assert body == Written((text, B.content), len(text))


def test_json_alone_has_no_length_in_front() -> None:
    """The header is missing then, as the protocol has it."""
    answer = OnlineAnswer("m", "", "", "server", (B,))
    body = write_answer(InferenceRequest(inputs=()), answer, {"b": json_form(B)})
    assert body.json_bytes is None
    (text,) = body.pieces
    assert orjson.loads(text)["outputs"][0]["data"] == ["é"]


@pytest.mark.parametrize(
    ("tensor", "status", "words"),
    [
        (RawTensor("h", "BF16", (1,), b"12"), 400, "no BF16 in JSON"),
        (RawTensor("t", "BYTES", (1,), struct.pack("<I", 1) + b"\xff"), 400, "not UTF-8"),
        (RawTensor("t", "BYTES", (1,), b"\xff"), 502, "lengths do not add up"),
        (RawTensor("t", "BYTES", (2,), struct.pack("<I", 0)), 502, "lengths do not add up"),
    ],
)
def test_what_has_no_json_is_refused(tensor: RawTensor, status: int, words: str) -> None:
    """With the way out, or the model's name on the fault."""
    with pytest.raises(Refused, match=words) as raised:
        json_form(tensor)
    assert raised.value.kind.status == status
