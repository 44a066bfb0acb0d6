"""Tell what an error of the registry or of inference is to whoever sent the request."""

import math

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
from inference.errors import (
    DeadlineExceeded,
    InferenceError,
    MicrobatchTooLarge,
    ModelNotReady,
    PoolUnavailable,
    RequestRejected,
    ServerOverloaded,
    ServerUnreachable,
    UnknownModel,
)
from inference.placement import NoPlace
from registry.errors import RegistryError, RegistryUnavailable

SOON_S = 1.0
"""When to ask again where nothing else is known: about when servers are probed again."""


def of_inference(error: InferenceError) -> OnlineError:
    """Return what the caller is told of a request that no server answered.

    The cases, first match wins:
    1. the servers have too much to do: come back
    2. no server can be asked, or none has the model now: come back
    3. no answer in time
    4. too large, or refused as it is: not to be repeated
    5. no server knows the model
    6. anything else is the server's fault
    """
    said = str(error)
    if isinstance(error, NoPlace | ServerOverloaded):
        return PoolBusy(said, retry_after_s=SOON_S)
    if isinstance(error, PoolUnavailable):
        return PoolAway(said, retry_after_s=max(SOON_S, math.ceil(error.retry_after_s)))
    if isinstance(error, ModelNotReady | ServerUnreachable):
        return PoolAway(said, retry_after_s=SOON_S)
    if isinstance(error, DeadlineExceeded):
        return DeadlinePassed(said)
    if isinstance(error, MicrobatchTooLarge):
        return CallTooLarge(said)
    if isinstance(error, RequestRejected):
        return CallRefused(said)
    return NameUnknown(said) if isinstance(error, UnknownModel) else ServerFailed(said)


def of_registry(error: RegistryError) -> OnlineError:
    """Return what the caller is told of a name that the registry does not resolve."""
    if isinstance(error, RegistryUnavailable):
        # Its words name the database.
        return PoolAway("the registry cannot be asked now", retry_after_s=SOON_S)
    return NameUnknown(str(error))
