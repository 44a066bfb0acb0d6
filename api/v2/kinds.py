"""Name what a request of the Open Inference Protocol is refused for."""

from http import HTTPStatus

from api.online.port import (
    CallRefused,
    CallTooLarge,
    DeadlinePassed,
    NameUnknown,
    OnlineError,
    PoolAway,
    PoolBusy,
    ServerFailed,
)
from api.problems import Kind, Refused

MALFORMED = Kind(
    "malformed-inference-request",
    HTTPStatus.BAD_REQUEST,
    "Malformed inference request",
    "The body is not what the Open Inference Protocol has, or its parts do not add up.",
)
MISFIT = Kind(
    "model-mismatch",
    HTTPStatus.BAD_REQUEST,
    "Does not fit the model",
    "An input or output has another name, datatype or shape than the model; `expected` says which.",
)
TOO_LARGE_DECODED = Kind(
    "body-too-large",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "Body too large",
    "The body, decompressed, is larger than this path takes; `max_bytes` says how large it may be.",
)
CODING = Kind(
    "content-encoding",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    "Content encoding not supported",
    "A body is sent plain, or compressed once with gzip or deflate.",
)
MODEL_UNKNOWN = Kind(
    "unknown-model",
    HTTPStatus.NOT_FOUND,
    "Unknown model",
    "There is no such model, version or alias.",
)
CALL_REFUSED = Kind(
    "call-refused",
    HTTPStatus.BAD_REQUEST,
    "Refused by the model",
    "The model refuses these tensors, or what is asked contradicts itself.",
)
CALL_TOO_LARGE = Kind(
    "call-too-large",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "Too many rows",
    "Request or answer is larger than a server can carry: send fewer rows.",
)
POOL_BUSY = Kind(
    "pool-busy",
    HTTPStatus.SERVICE_UNAVAILABLE,
    "Pool busy",
    "Every server has enough to do; `Retry-After` says when to ask again.",
)
POOL_AWAY = Kind(
    "pool-away",
    HTTPStatus.SERVICE_UNAVAILABLE,
    "Pool away",
    "No server can be asked now; `Retry-After` says when to ask again.",
)
DEADLINE_PASSED = Kind(
    "deadline-passed",
    HTTPStatus.GATEWAY_TIMEOUT,
    "Deadline passed",
    "The answer did not come in the time that the request had.",
)
SERVER_FAILED = Kind(
    "server-failed",
    HTTPStatus.BAD_GATEWAY,
    "Model failed",
    "The model or its server failed on the request, or answered what it must not.",
)
READER_DIED = Kind(
    "reader-died",
    HTTPStatus.SERVICE_UNAVAILABLE,
    "Large JSON not read",
    "The process that reads large JSON ended; a new one takes the next request.",
)
NOT_OFFERED = Kind(
    "not-offered",
    HTTPStatus.NOT_IMPLEMENTED,
    "Not offered",
    "This part of Triton's protocol is not offered through the gateway.",
)

_KINDS = {
    CallRefused: CALL_REFUSED,
    CallTooLarge: CALL_TOO_LARGE,
    DeadlinePassed: DEADLINE_PASSED,
    NameUnknown: MODEL_UNKNOWN,
    PoolAway: POOL_AWAY,
    PoolBusy: POOL_BUSY,
    ServerFailed: SERVER_FAILED,
}


def refused(error: OnlineError) -> Refused:
    """Return the refusal that tells a caller of the error."""
    headers: dict[str, str] = {}
    if isinstance(error, PoolAway | PoolBusy):
        # Whole seconds, never less than said: a caller who comes too soon is refused again.
        headers["Retry-After"] = str(int(-(-error.retry_after_s // 1)) or 1)
    kind = next(_KINDS[each] for each in type(error).__mro__ if each in _KINDS)
    return Refused(kind, str(error), headers=headers)


def malformed(words: str) -> Refused:
    """Return the refusal of a body that is not what the protocol has."""
    return Refused(MALFORMED, words)
