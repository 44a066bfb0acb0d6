"""Write the answer to an inference request."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from api.online.port import OnlineAnswer
from api.v2.requests import InferenceRequest
from inference.tensors import RawTensor

_VARIANT = "variant"


@dataclass(frozen=True, slots=True)
class Written:
    """The body of an answer."""

    pieces: tuple[bytes | memoryview, ...]
    """The JSON, then each binary output as it came from the server."""
    json_bytes: int | None
    """Length of the JSON; None where nothing follows it."""


def outputs_of(request: InferenceRequest, answer: OnlineAnswer) -> tuple[RawTensor, ...]:
    """Return the outputs in the order in which they were wanted, or else the server's."""
    if not request.outputs:
        return answer.outputs
    came = {tensor.name: tensor for tensor in answer.outputs}
    return tuple(came[wanted.name] for wanted in request.outputs)


def write_answer(
    request: InferenceRequest, answer: OnlineAnswer, json_of: Mapping[str, bytes]
) -> Written:
    """Return the body of the answer; `json_of` has the elements of outputs that are not binary."""
    outputs = outputs_of(request, answer)
    told: dict[str, Any] = {"model_name": answer.model, "model_version": answer.version}
    if request.id is not None:
        told["id"] = request.id
    parameters = dict(answer.parameters)
    if answer.variant:
        parameters[_VARIANT] = answer.variant
    if parameters:
        told["parameters"] = parameters
    told["outputs"] = [_described(tensor, json_of.get(tensor.name)) for tensor in outputs]
    text = orjson.dumps(told)
    binary = tuple(tensor.content for tensor in outputs if tensor.name not in json_of)
    return Written((text, *binary), len(text) if binary else None)


def _described(tensor: RawTensor, data: bytes | None) -> dict[str, Any]:
    told: dict[str, Any] = {
        "name": tensor.name,
        "shape": tensor.shape,
        "datatype": tensor.datatype,
    }
    if data is None:
        return told | {"parameters": {"binary_data_size": len(tensor.content)}}
    return told | {"data": orjson.Fragment(data)}
