"""Hold a request against what the model takes, so that what does not fit reaches no server."""

from collections.abc import Mapping, Sequence
from typing import Any

from api.online.port import Description
from api.problems import Refused
from api.v2.kinds import MISFIT
from registry.domain import TensorSpec


def check_input(model: Description, name: str, datatype: str, shape: tuple[int, ...]) -> None:
    """Raise `Refused` unless the model has such an input."""
    spec = {each.name: each for each in model.inputs}.get(name)
    if spec is None:
        raise _misfit(f"{_called(model)} has no input {name!r}", "inputs", model.inputs)
    if datatype != spec.datatype:
        raise _misfit(f"input {name!r} was sent as {datatype}", "inputs", (spec,))
    fits = len(shape) == len(spec.shape) and all(
        wanted in (-1, size) for wanted, size in zip(spec.shape, shape, strict=True)
    )
    if not fits:
        raise _misfit(f"input {name!r} was sent with shape {list(shape)}", "inputs", (spec,))
    if model.max_batch_size > 0 and not 0 < shape[0] <= model.max_batch_size:
        raise _misfit(
            f"input {name!r} was sent with {shape[0]} rows, {_called(model)} takes 1 to "
            f"{model.max_batch_size} at a time",
            "inputs",
            (spec,),
        )


def check_inputs(model: Description, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Raise `Refused` unless every input that must be is there, with as many rows as the others."""
    dispensable = shapes.keys() | model.optional_inputs
    missing = tuple(spec for spec in model.inputs if spec.name not in dispensable)
    if missing:
        names = ", ".join(spec.name for spec in missing)
        raise _misfit(f"{_called(model)} needs input {names} as well", "inputs", missing)
    rows = {shape[0] for shape in shapes.values() if shape}
    if model.max_batch_size > 0 and len(rows) > 1:
        counted = ", ".join(f"{name} {shape[0]}" for name, shape in shapes.items())
        raise _misfit(f"the inputs differ in their rows: {counted}", "inputs", model.inputs)


def check_outputs(model: Description, names: Sequence[str]) -> None:
    """Raise `Refused` unless the model has every one of these outputs."""
    known = {spec.name for spec in model.outputs}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise _misfit(
            f"{_called(model)} has no output {', '.join(map(repr, unknown))}",
            "outputs",
            model.outputs,
        )


def _called(model: Description) -> str:
    return f"model {model.name!r}" + (f" version {model.version}" if model.version else "")


def _misfit(words: str, side: str, expected: Sequence[TensorSpec]) -> Refused:
    """Say what is wrong, then what was expected: for a person, then for a program."""
    told: list[dict[str, Any]] = [
        {"name": spec.name, "datatype": spec.datatype, "shape": list(spec.shape)}
        for spec in expected
    ]
    named = "; ".join(map(str, expected))
    return Refused(MISFIT, f"{words}; expected {named}", members={"expected": {side: told}})
