"""Say what a read inference request is."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from inference.tensors import Parameter, RawTensor


@dataclass(frozen=True, slots=True)
class WantedOutput:
    """An output that the answer shall have."""

    name: str
    """Its name, as the model has it."""
    binary: bool
    """Whether it comes as bytes behind the JSON."""


@dataclass(frozen=True, slots=True)
class InferenceRequest:
    """A request whose tensors fit the model."""

    inputs: tuple[RawTensor, ...]
    """In the order sent, as they travel to the server."""
    outputs: tuple[WantedOutput, ...] = ()
    """In the order wanted; empty for all that the model has."""
    id: str | None = None
    """What the answer repeats; None when there was none."""
    binary_outputs: bool = False
    """Whether outputs that are not named come as bytes."""
    priority: int = 0
    """1 goes first; 0 when nothing is said."""
    timeout_us: int = 0
    """Time that the caller gives it; 0 when nothing is said."""
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    """What the model itself is told besides."""

    def is_binary(self, output: str) -> bool:
        """Say whether the output comes as bytes."""
        named = {wanted.name: wanted.binary for wanted in self.outputs}
        return named.get(output, self.binary_outputs)
