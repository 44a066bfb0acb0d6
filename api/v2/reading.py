"""Read an inference request from its body."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod
from typing import Any, TypeVar

import orjson

from api.online.port import Description
from api.v2.fitting import check_input, check_inputs, check_outputs
from api.v2.json_data import BINARY_ONLY, count_bytes_elements, no_json_for, wire_form
from api.v2.kinds import malformed
from api.v2.parameters import Said, flag, read_parameters, refuse_shared_memory
from api.v2.requests import InferenceRequest, WantedOutput
from inference.tensors import RawTensor, itemsize

_T = TypeVar("_T")
_JSON_NAMES = {"dict": "an object", "list": "an array", "str": "a string"}
_MOST_DIMENSION = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Head:
    """What the JSON of a request says. It can be sent to another process, unlike slices."""

    request: InferenceRequest
    """The request, whose binary tensors are empty."""
    binary_bytes: tuple[int | None, ...]
    """Bytes of each input behind the JSON; None for one within it."""

    def complete(self, behind: memoryview) -> InferenceRequest:
        """Return the request with its binary tensors, which are slices of `behind`, not copies."""
        position, inputs = 0, list(self.request.inputs)
        for place, size in enumerate(self.binary_bytes):
            if size is not None:
                content = behind[position : position + size]
                inputs[place] = replace(inputs[place], content=content)
                position += size
        return replace(self.request, inputs=tuple(inputs))


def split(body: bytes | memoryview, json_bytes: int | None) -> tuple[memoryview, memoryview]:
    """Return the JSON, the first `json_bytes` or all for None, with what follows.

    Raises `Refused` where there are not so many.
    """
    whole = memoryview(body)
    if json_bytes is None:
        return whole, whole[len(whole) :]
    if json_bytes > len(whole):
        raise malformed(
            f"Inference-Header-Content-Length says {json_bytes}, the body has {len(whole)} bytes"
        )
    return whole[:json_bytes], whole[json_bytes:]


def read_head(text: bytes | memoryview, behind_bytes: int, model: Description) -> Head:
    """Read the JSON of a request that so many bytes follow; raises `Refused`.

    The elements of binary BYTES are not looked at: see `check_binary`.
    """
    told = _object(_parsed(text), "the body")
    said = read_parameters(_optional(told, "parameters", dict, "the request"))
    announced = _read_inputs(told, model, behind_bytes)
    request = InferenceRequest(
        inputs=tuple(map(_tensor, announced)),
        outputs=_read_outputs(told, model, said),
        id=_optional(told, "id", str, "the request"),
        binary_outputs=said.binary_outputs,
        priority=said.priority,
        timeout_us=said.timeout_us,
        parameters=said.others,
    )
    return Head(request, tuple(each.binary_bytes for each in announced))


def check_binary(tensor: RawTensor) -> None:
    """Raise `Refused` unless the bytes of a BYTES tensor are as many elements as its shape has."""
    count = count_bytes_elements(tensor.content)
    if count != prod(tensor.shape):
        found = "are cut off in the middle of one" if count is None else f"hold {count}"
        raise malformed(
            f"input {tensor.name!r}: BYTES{list(tensor.shape)} has {prod(tensor.shape)} elements, "
            f"its {len(tensor.content)} bytes {found}"
        )


@dataclass(frozen=True, slots=True)
class _Announced:
    """An input as the JSON announces it."""

    name: str
    """Its name."""
    datatype: str
    """Its datatype."""
    shape: tuple[int, ...]
    """Its shape."""
    data: object
    """Its JSON; None when it is binary."""
    binary_bytes: int | None
    """Its bytes behind the JSON; None when it is JSON."""


def _parsed(text: bytes | memoryview) -> object:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise malformed(f"the JSON cannot be read: {error.msg}, at byte {error.pos}") from error


def _read_inputs(
    told: Mapping[str, Any], model: Description, behind_bytes: int
) -> list[_Announced]:
    listed = told.get("inputs")
    if not isinstance(listed, list) or not listed:
        raise malformed("`inputs` must be an array with every input of the model")
    announced = [_announced(each, model) for each in listed]
    shapes = {each.name: each.shape for each in announced}
    if len(shapes) != len(announced):
        raise malformed("an input is there twice")
    check_inputs(model, shapes)
    needed = sum(each.binary_bytes or 0 for each in announced)
    if needed != behind_bytes:
        raise malformed(
            f"the inputs announce {needed} bytes of binary data, {behind_bytes} follow the JSON"
        )
    return announced


def _announced(item: object, model: Description) -> _Announced:
    told = _object(item, "each of `inputs`")
    name, datatype = told.get("name"), told.get("datatype")
    if not isinstance(name, str) or not isinstance(datatype, str):
        raise malformed("each of `inputs` needs `name` and `datatype`, both strings")
    shape = _shape(name, told.get("shape"))
    check_input(model, name, datatype, shape)
    parameters = _optional(told, "parameters", dict, f"input {name!r}") or {}
    refuse_shared_memory(parameters, f"input {name!r}")
    size, data = parameters.get("binary_data_size"), told.get("data")
    if (size is None) == (data is None):
        raise malformed(
            f"input {name!r} needs either `data` or the parameter `binary_data_size`, not "
            + ("both" if data is not None else "neither")
        )
    if size is not None:
        _check_size(name, datatype, shape, size)
    return _Announced(name, datatype, shape, data, size)


def _shape(name: str, told: object) -> tuple[int, ...]:
    # A bool is an int to Python.
    if not isinstance(told, list) or any(
        type(size) is not int or not 0 <= size <= _MOST_DIMENSION for size in told
    ):
        raise malformed(f"input {name!r}: `shape` must be an array of whole numbers, none negative")
    return tuple(told)


def _check_size(name: str, datatype: str, shape: tuple[int, ...], size: object) -> None:
    if type(size) is not int or size < 0:
        raise malformed(f"input {name!r}: `binary_data_size` must be a number of bytes")
    least = prod(shape) * itemsize(datatype)
    if size < least or (datatype != "BYTES" and size != least):
        at_least = "at least " if datatype == "BYTES" else ""
        raise malformed(
            f"input {name!r}: {datatype}{list(shape)} has {at_least}{least} bytes, "
            f"`binary_data_size` says {size}"
        )


def _tensor(each: _Announced) -> RawTensor:
    if each.binary_bytes is not None:
        return RawTensor(each.name, each.datatype, each.shape, b"")
    return wire_form(each.name, each.datatype, each.shape, each.data)


def _read_outputs(
    told: Mapping[str, Any], model: Description, said: Said
) -> tuple[WantedOutput, ...]:
    listed = _optional(told, "outputs", list, "the request") or []
    wanted = tuple(_wanted(each, said) for each in listed)
    names = [output.name for output in wanted]
    if len(set(names)) != len(names):
        raise malformed("an output is wanted twice")
    check_outputs(model, names)
    binary = {output.name: output.binary for output in wanted}
    for spec in model.outputs:
        # A model with optional inputs may leave out outputs: whether it did is seen in its answer.
        answered = spec.name in binary or not (wanted or model.optional_inputs)
        in_json = not binary.get(spec.name, said.binary_outputs)
        if answered and in_json and spec.datatype in BINARY_ONLY:
            raise malformed(no_json_for(spec.name, spec.datatype))
    return wanted


def _wanted(item: object, said: Said) -> WantedOutput:
    told = _object(item, "each of `outputs`")
    name = told.get("name")
    if not isinstance(name, str):
        raise malformed("each of `outputs` needs `name`, a string")
    parameters = _optional(told, "parameters", dict, f"output {name!r}") or {}
    refuse_shared_memory(parameters, f"output {name!r}")
    if parameters.get("classification"):
        raise malformed(f"output {name!r}: classification is not offered, leave it out")
    return WantedOutput(name, flag(parameters, "binary_data", said.binary_outputs))


def _object(told: object, what: str) -> Mapping[str, Any]:
    if not isinstance(told, dict):
        raise malformed(f"{what} must be a JSON object")
    return told


def _optional(told: Mapping[str, Any], key: str, kind: type[_T], what: str) -> _T | None:
    """Return a member of the right type; None where it is missing, or null."""
    value = told.get(key)
    if value is not None and not isinstance(value, kind):
        raise malformed(f"{what}: `{key}` must be {_JSON_NAMES[kind.__name__]}")
    return value
