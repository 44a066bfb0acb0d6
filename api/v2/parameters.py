"""Read the parameters of an inference request."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from api.v2.kinds import malformed
from inference.tensors import Parameter

_SEQUENCES = ("sequence_id", "sequence_start", "sequence_end")
_READ_HERE = ("binary_data_output", "headers", "priority", "timeout", *_SEQUENCES)
_OF_TRITON = "triton_"
_SHARED_MEMORY = "shared_memory_"
_MOST_PRIORITY = 2**32 - 1
_MOST_TIMEOUT_US = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Said:
    """What the parameters of a request say."""

    binary_outputs: bool
    """Whether outputs come as bytes unless they say otherwise."""
    priority: int
    """1 goes first; 0 when nothing is said."""
    timeout_us: int
    """Time that the caller gives it; 0 when nothing is said."""
    others: Mapping[str, Parameter]
    """What is meant for the model itself."""


def read_parameters(told: Mapping[str, Any] | None) -> Said:
    """Return what they say; raises `Refused`. A null is as good as nothing."""
    given = {name: value for name, value in (told or {}).items() if value is not None}
    if given.get("sequence_id"):
        raise malformed(
            "sequences are not offered: a request may go to any server, state lies in one; leave "
            "`sequence_id` out"
        )
    reserved = [name for name in given if name.startswith(_OF_TRITON)]
    if reserved:
        raise malformed(f"parameter {reserved[0]!r} is reserved: leave it out")
    others = {name: value for name, value in given.items() if name not in _READ_HERE}
    for name, value in others.items():
        if not isinstance(value, bool | int | float | str):
            raise malformed(f"parameter {name!r} must be a string, a number, true or false")
    return Said(
        binary_outputs=flag(given, "binary_data_output", False),
        priority=_number(given, "priority", _MOST_PRIORITY),
        timeout_us=_number(given, "timeout", _MOST_TIMEOUT_US),
        others=others,
    )


def flag(given: Mapping[str, Any], name: str, default: bool) -> bool:
    """Return true or false; raises `Refused` for anything else."""
    value = given.get(name)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise malformed(f"parameter `{name}` must be true or false")
    return value


def refuse_shared_memory(given: Mapping[str, Any], what: str) -> None:
    """Raise `Refused` for a tensor that shall lie in shared memory."""
    if any(name.startswith(_SHARED_MEMORY) for name in given):
        raise malformed(f"{what}: shared memory is not offered, send or ask for the data itself")


def _number(given: Mapping[str, Any], name: str, most: int) -> int:
    value = given.get(name, 0)
    if type(value) is not int or not 0 <= value <= most:
        raise malformed(f"parameter `{name}` must be a whole number from 0 to {most}")
    return value
