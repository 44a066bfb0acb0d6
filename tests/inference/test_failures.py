"""What a gRPC status with its words stands for."""

import pytest

from inference import errors
from inference.failures import failure


@pytest.mark.parametrize(
    ("code", "words", "kind"),
    [
        ("UNAVAILABLE", "Socket closed", errors.ServerUnreachable),
        ("UNAVAILABLE", "failed to connect to all addresses", errors.ServerUnreachable),
        ("UNAVAILABLE", "ping timeout", errors.ServerUnreachable),
        ("UNAVAILABLE", "[request id: 1] Exceeds maximum queue size", errors.ServerOverloaded),
        ("UNAVAILABLE", "Request timeout expired", errors.ServerOverloaded),
        ("UNAVAILABLE", "Request for unknown model: 'm' is not found", errors.ModelNotReady),
        ("NOT_FOUND", "Request for unknown model: 'm' is not found", errors.ModelNotReady),
        ("NOT_FOUND", "unknown model: 'm' has no available versions", errors.ModelNotReady),
        ("INVALID_ARGUMENT", "version 1 is not at ready state", errors.ModelNotReady),
        ("INTERNAL", "Stub process 'm_0_0' is not healthy.", errors.ServerUnreachable),
        ("DEADLINE_EXCEEDED", "Deadline Exceeded", errors.DeadlineExceeded),
        ("RESOURCE_EXHAUSTED", "Sent message larger than max", errors.MicrobatchTooLarge),
        ("RESOURCE_EXHAUSTED", "grpc: received message too large", errors.MicrobatchTooLarge),
        ("RESOURCE_EXHAUSTED", "has more than the 1,000 bytes that", errors.MicrobatchTooLarge),
        ("RESOURCE_EXHAUSTED", "quota exceeded for project", errors.ServerOverloaded),
        ("RESOURCE_EXHAUSTED", "", errors.ServerOverloaded),
        ("INTERNAL", "CUDA error: out of memory", errors.MicrobatchTooLarge),
        ("INTERNAL", "Failed to allocate memory for requested buffer", errors.MicrobatchTooLarge),
        ("INVALID_ARGUMENT", "batch-size must be <= 8 for 'm'", errors.MicrobatchTooLarge),
        ("INVALID_ARGUMENT", "unexpected inference input 'z'", errors.RequestRejected),
        ("NOT_FOUND", "no such embedding", errors.RequestRejected),
        ("UNIMPLEMENTED", "not implemented", errors.RequestRejected),
        ("UNAVAILABLE", "explicit model load / unload is not allowed", errors.RequestRejected),
        ("INTERNAL", "the kernel failed", errors.ServerFault),
        ("UNKNOWN", "", errors.ServerFault),
        ("CANCELLED", "given up by the model", errors.ServerFault),
    ],
)
def test_a_status_is_told_by_code_and_words(code: str, words: str, kind: type[Exception]) -> None:
    """The table of facts, with the codes that newer servers use for the same words."""
    error = failure(code, words, server="gpu-1:8001")
    assert type(error) is kind
    assert error.server == "gpu-1:8001"


def test_the_message_is_one_line_that_names_server_and_code() -> None:
    """A traceback from a Python model spans lines; ours does not."""
    error = failure("INTERNAL", "failed\n\nAt:\n  model.py(3)", server="gpu-1:8001")
    assert str(error) == "gpu-1:8001: failed At: model.py(3) (INTERNAL)"
    assert "no details" in str(failure("UNKNOWN", "", server="gpu-1:8001"))
