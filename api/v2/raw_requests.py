"""Read a body that is nothing but the bytes of a model's only input."""

from math import prod

from api.online.port import Description
from api.v2.fitting import check_input
from api.v2.json_data import one_element
from api.v2.kinds import malformed
from api.v2.requests import InferenceRequest
from inference.tensors import RawTensor, itemsize
from registry.domain import TensorSpec


def read_raw_request(body: bytes | memoryview, model: Description) -> InferenceRequest:
    """Return the request for one row, whose outputs all come as bytes.

    The cases of what the bytes are:
    1. BYTES: the row's only element, without the length in front that it has elsewhere
    2. a row whose dimensions are known: exactly so many bytes
    3. one dimension is not known: what the bytes leave for it
    Raises `Refused` for a model with several inputs, or of which more is not known.
    """
    if len(model.inputs) != 1:
        raise malformed(
            f"a body without JSON is for models with one input, {model.name!r} has "
            f"{len(model.inputs)}"
        )
    (spec,) = model.inputs
    content = one_element(body) if spec.datatype == "BYTES" else body
    shape = _row(spec, len(body))
    check_input(model, spec.name, spec.datatype, shape)
    return InferenceRequest(
        inputs=(RawTensor(spec.name, spec.datatype, shape, content),), binary_outputs=True
    )


def _row(spec: TensorSpec, size: int) -> tuple[int, ...]:
    """Return the shape of one row of so many bytes."""
    shape = [
        1 if place == 0 and length == -1 else length for place, length in enumerate(spec.shape)
    ]
    unknown = [place for place, length in enumerate(shape) if length == -1]
    if len(unknown) > 1:
        raise malformed(f"a body without JSON cannot tell the shape of {spec}: send JSON in front")
    # BYTES of whatever length are one element.
    elements = 1 if spec.datatype == "BYTES" else size / itemsize(spec.datatype)
    known = prod(length for length in shape if length != -1)
    if unknown and known:
        shape[unknown[0]] = int(elements // known)
    if prod(shape) != elements:
        raise malformed(f"a row of {spec} cannot be made of the {size} bytes that were sent")
    return tuple(shape)
