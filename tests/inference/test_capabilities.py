"""Which servers have the parts of the protocol that are needed."""

import pickle

import pytest

from inference.capabilities import NEEDED, lacking
from inference.errors import ServerUnfit

TRITONS = [
    *("classification", "sequence", "model_repository", "model_repository(unload_dependents)"),
    *("schedule_policy", "model_configuration", "system_shared_memory", "cuda_shared_memory"),
    *("binary_tensor_data", "parameters", "statistics", "trace", "logging"),
]
"""What Triton 2.51 says of itself."""


@pytest.mark.parametrize(
    ("extensions", "lacks"),
    [
        (TRITONS, ()),
        ([], NEEDED),
        (["model_repository_extension"], NEEDED),
        ([each for each in TRITONS if each != "statistics"], ("statistics",)),
        ([each for each in TRITONS if "shared_memory" not in each], ()),
    ],
)
def test_what_a_server_lacks(extensions: list[str], lacks: tuple[str, ...]) -> None:
    """Triton nothing, MLServer and KServe's Python server all; shared memory is not needed."""
    assert lacking(extensions) == lacks


def test_the_error_says_what_is_lacking_and_what_to_do() -> None:
    """Also after it was sent to another process."""
    error = pickle.loads(pickle.dumps(ServerUnfit("a:1", ("statistics",))))
    assert (error.server, error.lacks) == ("a:1", ("statistics",))
    assert str(error) == (
        "a:1 lacks statistics of the Open Inference Protocol, so that it cannot be asked: put a "
        "Triton server there, or take it out of the pool"
    )
