"""Tell which error a server's failure is, from its gRPC code with its words."""

import re

from inference.errors import (
    DeadlineExceeded,
    InferenceError,
    MicrobatchTooLarge,
    ModelNotReady,
    RequestRejected,
    ServerFault,
    ServerOverloaded,
    ServerUnreachable,
)

_OVERLOADED = ("exceeds maximum queue size", "request timeout expired")
_NOT_READY = (
    "unknown model",
    "not at ready state",
    "has no available versions",
    "is not ready",
)
_NOT_READY_CODES = {"UNAVAILABLE", "NOT_FOUND", "INVALID_ARGUMENT"}
_NOT_ALLOWED = ("is not allowed",)
_GONE = ("stub process",)
"""A Python model's process has died: the server says ready and fails at everything."""
_OUT_OF_MEMORY = re.compile(
    r"out of memory|failed to allocate memory|bad_alloc|cannot allocate memory"
    r"|memoryerror|unable to allocate",
    re.IGNORECASE,
)
_TOO_MANY_BYTES = re.compile(
    r"larger than|too large|too big|message size|more than the [\d,]+ bytes", re.IGNORECASE
)
_TOO_MANY_ROWS = re.compile(r"batch-size must be <= \d+")
_PERMANENT = {
    "INVALID_ARGUMENT",
    "NOT_FOUND",
    "UNIMPLEMENTED",
    "FAILED_PRECONDITION",
    "ALREADY_EXISTS",
    "OUT_OF_RANGE",
    "PERMISSION_DENIED",
    "UNAUTHENTICATED",
}


def failure(code: str, words: str, *, server: str) -> InferenceError:
    """Return the error that a gRPC status stands for.

    `code` is the status's name, `words` its details. The cases, first match wins:
    1. out of memory, or more rows or bytes than are taken at once: a smaller microbatch can pass;
       RESOURCE_EXHAUSTED without such words is somebody's quota, and overload
    2. the model is unknown or not ready, under whichever code (UNAVAILABLE, NOT_FOUND and
       INVALID_ARGUMENT all occur)
    3. queue full or queue time-out: overload
    4. the model's own process is gone: as if the server were, no row is at fault
    5. otherwise by code; what is neither transient nor permanent is the server's fault
    """
    kind = _kind(code, words)
    said = " ".join(words.split()) or "no details"
    return kind(f"{server}: {said} ({code})", server=server)


def _kind(code: str, words: str) -> type[InferenceError]:
    lowered = words.lower()
    if _OUT_OF_MEMORY.search(words) or _TOO_MANY_ROWS.search(words):
        return MicrobatchTooLarge
    if code == "RESOURCE_EXHAUSTED":
        return MicrobatchTooLarge if _TOO_MANY_BYTES.search(words) else ServerOverloaded
    if code == "DEADLINE_EXCEEDED":
        return DeadlineExceeded
    if code in _NOT_READY_CODES and any(phrase in lowered for phrase in _NOT_READY):
        return ModelNotReady
    if code == "UNAVAILABLE":
        if any(phrase in lowered for phrase in _OVERLOADED):
            return ServerOverloaded
        if any(phrase in lowered for phrase in _NOT_ALLOWED):
            return RequestRejected
        return ServerUnreachable
    if any(phrase in lowered for phrase in _GONE):
        return ServerUnreachable
    return RequestRejected if code in _PERMANENT else ServerFault
