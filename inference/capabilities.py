"""Say which parts of the Open Inference Protocol a server must have to be asked."""

from collections.abc import Collection

NEEDED = ("binary_tensor_data", "model_configuration", "model_repository", "statistics")
"""Extensions by the protocol's names: tensors travel as bytes, a model's configuration says how it
may be asked, versions are loaded, batch gives way by what is counted. Shared memory is not among
them: without it tensors are sent."""


def lacking(extensions: Collection[str]) -> tuple[str, ...]:
    """Return what a server that has these extensions lacks; empty for one that can be asked."""
    return tuple(each for each in NEEDED if each not in extensions)
