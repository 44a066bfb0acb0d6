"""Say what an online request is, whatever protocol it came by."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from inference.tensors import Parameter, RawTensor
from registry.domain import TensorSpec


@dataclass(frozen=True, slots=True)
class OnlineName:
    """A model as a request addresses it."""

    model: str
    """A registered model, or one that a pool serves."""
    alias: str | None = None
    """The alias behind `@`; None without one."""
    version: int | None = None
    """The version of the path; None without one. An alias with a version is refused."""

    def __str__(self) -> str:
        if self.alias is not None:
            return f"{self.model}@{self.alias}"
        return self.model if self.version is None else f"{self.model}@{self.version}"


@dataclass(frozen=True, slots=True)
class OnlineCall:
    """One request to score some rows."""

    name: OnlineName
    """The model."""
    inputs: tuple[RawTensor, ...]
    """In the order they came, as they travel: nothing is decoded on the way."""
    outputs: tuple[str, ...] = ()
    """Outputs wanted; empty for all of them."""
    request_id: str = ""
    """Told to the server, so that its log can be found again."""
    deadline_s: float | None = None
    """Seconds that the caller waits, over all tries; None for `NIGHTSHIFT_ONLINE_DEADLINE_S`,
    which also is the most."""
    priority: int = 0
    """Triton's: 1 goes first; 0 for the default of online requests."""
    may_go_first: bool = False
    """Whether the caller's token lets it go before that default (scope `inference:priority`);
    otherwise it goes no earlier, whatever it asks for."""
    sticky_key: str = ""
    """Requests with the same key get the same version of a weighted alias; empty for chance."""
    pinned: int | None = None
    """The version of a weighted alias that must answer, its shadow included. The caller's right
    to say so (scope `inference:pin`) is checked before."""
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    """What the model itself is told besides, by names that the protocol does not reserve."""
    traceparent: str = ""
    """W3C trace context to pass on."""


@dataclass(frozen=True, slots=True)
class OnlineAnswer:
    """What a model answered."""

    model: str
    """The name without alias, as it was asked for."""
    version: str
    """The registered version; of a model that is not registered, Triton's, empty if unknown."""
    variant: str
    """`stable`, `canary` or `shadow` of a weighted alias; empty without one."""
    server: str
    """Address of the server that answered."""
    outputs: tuple[RawTensor, ...]
    """In the server's order, as they travelled; every output that was wanted is there."""
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    """What the model told besides."""


@dataclass(frozen=True, slots=True)
class Description:
    """What a model takes and gives, for validation at the edge or for metadata."""

    name: str
    """The name without alias."""
    version: str
    """The version that the name means when no sticky key says otherwise; may be empty."""
    versions: tuple[str, ...]
    """Every version that may be asked for, ascending."""
    platform: str
    """What runs it, as its server says; empty when no server could be asked."""
    inputs: tuple[TensorSpec, ...]
    """In the server's order, -1 for a dimension that varies."""
    outputs: tuple[TensorSpec, ...]
    """As `inputs`."""
    max_batch_size: int
    """Most rows of one request; 0 when the model sets no limit."""
    optional_inputs: frozenset[str] = frozenset()
    """Inputs that may be left out, by name; a registered signature has none."""
    meant: object = field(default=None, compare=False, repr=False)
    """What the name meant, for whoever described it; None where nobody keeps that."""


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """One model version that can be asked for."""

    name: str
    """The registered name, or the one under which a pool serves it."""
    version: str
    """The version."""
    state: str
    """`READY` or `UNAVAILABLE`."""
    reason: str = ""
    """Why it is unavailable."""


class OnlineError(Exception):
    """A request that has no answer.

    OnlineError
    ├── NameUnknown       404: no such model, version or alias
    ├── CallRefused       400: what is asked contradicts itself, or the model refuses the tensors
    │   └── CallTooLarge  413: more than server or connection can carry
    ├── PoolBusy          503, Retry-After: full; nothing was lost by asking
    ├── PoolAway          503, Retry-After: no server, or the registry, can be asked now
    ├── DeadlinePassed    504: the caller's deadline was over before the answer came
    └── ServerFailed      502: the model failed or answered what it must not
    """


class NameUnknown(OnlineError):
    """There is no such model, version or alias; the words name what there is."""


class CallRefused(OnlineError):
    """Not to be sent again as it is."""


class CallTooLarge(CallRefused):
    """Send fewer rows."""


class PoolBusy(OnlineError):
    """Every server has enough to do."""

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        """Seconds after which asking again makes sense; more than 0."""


class PoolAway(OnlineError):
    """No server can be asked now."""

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        """Seconds after which asking again makes sense; more than 0."""


class DeadlinePassed(OnlineError):
    """No answer came in time; the server may still work on it."""


class ServerFailed(OnlineError):
    """Every try that was allowed failed within the model or its server."""


class Online(Protocol):
    """What answers requests, whatever protocol they come by: `Dependencies.online`.

    Methods raise `OnlineError` only. Cancelling `infer` cancels the request on its server, so
    cancel it when the client goes.
    """

    async def infer(self, call: OnlineCall, checked: Description | None = None) -> OnlineAnswer:
        """Have one version answer; safe to repeat.

        What the name means is not looked up again where `checked` says it, which `expected`
        returned for the same request.
        """
        ...

    async def describe(self, name: OnlineName) -> Description:
        """Say what the model is, what it takes and what it gives."""
        ...

    async def expected(self, name: OnlineName, *, within_s: float | None) -> Description:
        """Say what requests are checked against; the platform is left out.

        Nobody is asked for a registered model; for others whoever asks at once shares one
        question. It takes at most `within_s`, or the longest time that a request may take; raises
        `DeadlinePassed`.

        It holds for every version that an alias is weighted over: a route is refused where
        their signatures differ.
        """
        ...

    async def ready(self, name: OnlineName) -> bool:
        """Say whether a server has the model ready now; raises `NameUnknown`."""
        ...

    async def config(self, name: OnlineName) -> Mapping[str, Any]:
        """Return Triton's ModelConfig, as JSON names it."""
        ...

    async def statistics(self, name: OnlineName | None) -> Sequence[Mapping[str, Any]]:
        """Return the items of V2's `model_stats`, one per server; of every model for None."""
        ...

    async def index(self) -> Sequence[IndexEntry]:
        """List what can be asked for."""
        ...
