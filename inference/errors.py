"""The errors of inference, each with what the caller should do.

InferenceError
├── TransientError            another try, later or elsewhere, may succeed
│   ├── ServerUnreachable     counts toward the breaker; try another server
│   │   └── ServerUnfit       nothing was sent: it lacks parts of the protocol
│   ├── ServerOverloaded      shift load and back off; never trips a breaker
│   ├── ModelNotReady         ask that server again; try another
│   ├── DeadlineExceeded      try another within the budget; counts toward the breaker
│   │   └── ServerSlow        the server lives: fewer rows, fewer at a time; never trips a breaker
│   └── PoolUnavailable       every server is left alone for now; come back after `retry_after_s`
├── ServerFault               INTERNAL or UNKNOWN: one try elsewhere, then look for the rows
├── MicrobatchTooLarge        halve the microbatch; never a plain retry
├── RequestRejected           permanent for these rows: bisect to find them
├── ContractViolation         the answer is not what the signature promises: nothing is written
├── SignatureMismatch         the server's model is not the registered one
└── UnknownModel              no server of the pool has the model
"""

import copy
from collections.abc import Sequence
from typing import Self


class InferenceError(Exception):
    """An inference that did not give an answer that can be used."""

    def __init__(self, message: str, *, server: str | None = None) -> None:
        super().__init__(message)
        self.server = server
        """The server that was asked, by its address; None when it is not about one server."""
        self.rows: tuple[int, int] | None = None
        """First row of the microbatch that was asked for, with the first that was not."""


class TransientError(InferenceError):
    """Another try may succeed without anything being changed."""

    def about(self, rows: str) -> Self:
        """Return the same error whose words name the rows that were asked for."""
        named = copy.copy(self)
        named.args = (f"{self} (asked for {rows})",)
        return named


class ServerUnreachable(TransientError):
    """The server did not take the request: connection refused, closed or never made."""


class ServerUnfit(ServerUnreachable):
    """The server answers and lacks parts of the protocol, so that it is not asked."""

    def __init__(self, server: str, lacks: Sequence[str]) -> None:
        super().__init__(
            f"{server} lacks {', '.join(lacks)} of the Open Inference Protocol, so that it cannot "
            "be asked: put a Triton server there, or take it out of the pool",
            server=server,
        )
        self.lacks = tuple(lacks)
        """The extensions that it lacks, by the protocol's names."""

    def __reduce__(self) -> tuple[object, ...]:
        return (ServerUnfit, (self.server, self.lacks))


class ServerOverloaded(TransientError):
    """The server is alive and has too much to do."""


class ModelNotReady(TransientError):
    """The server does not serve the model now."""


class DeadlineExceeded(TransientError):
    """The answer did not come in time; the server may still be working on it."""


class ServerSlow(DeadlineExceeded):
    """The answer did not come in time from a server that lives and is not known to be stuck."""


class PoolUnavailable(TransientError):
    """No server of the pool may be asked now."""

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        """Seconds after which the first server may be probed again."""

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild_pool_unavailable, (str(self), self.retry_after_s))


def _rebuild_pool_unavailable(message: str, retry_after_s: float) -> PoolUnavailable:
    return PoolUnavailable(message, retry_after_s=retry_after_s)


class ServerFault(InferenceError):
    """The server failed while working on the request."""


class MicrobatchTooLarge(InferenceError):
    """The request or its answer is larger than the server or the client can carry."""


class RequestRejected(InferenceError):
    """The server refuses the request as it is."""


class ContractViolation(InferenceError):
    """The answer has the wrong rows, datatype or shape."""


class SignatureMismatch(InferenceError):
    """The server's model takes or gives something else than what was registered."""


class UnknownModel(InferenceError):
    """No server of the pool knows the model."""
