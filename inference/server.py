"""Say what the pool needs from one inference server."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from inference.tensors import InferAnswer, InferRequest
from registry.domain import Signature, TensorSpec


@dataclass(frozen=True, slots=True)
class RepositoryEntry:
    """One model version in a server's repository."""

    name: str
    """The name by which the server serves it."""
    version: str
    """The version directory; empty for a model that was never loaded."""
    state: str
    """`READY`, `UNAVAILABLE`, `LOADING`, `UNLOADING` or empty."""


@dataclass(frozen=True, slots=True)
class ModelStatistics:
    """What a server has done with a model since it loaded it, whoever asked."""

    requests: int
    """Requests answered."""
    inside_s: float
    """Seconds that those requests spent inside the server, summed over them."""
    queue_s: float
    """Seconds of these that they waited for an instance of the model."""
    busy_s: float
    """Seconds that instances worked, summed over them: a merged execution counts once."""
    instances: int
    """Instances of the model: how many executions can run at the same time."""


@dataclass(frozen=True, slots=True)
class ModelMetadata:
    """What a server says of a model that it serves, fed in rows or not."""

    name: str
    """The name by which it is served."""
    versions: tuple[str, ...]
    """The versions that are served."""
    platform: str
    """What runs it."""
    inputs: tuple[TensorSpec, ...]
    """In the server's order, -1 for a dimension that varies."""
    outputs: tuple[TensorSpec, ...]
    """As `inputs`."""
    max_batch_size: int
    """Most rows of one request; 0 when the model sets no limit."""
    optional_inputs: frozenset[str] = frozenset()
    """Inputs that may be left out, by name."""
    repeatable: bool = True
    """Whether asking twice at once does no more than asking once: not so for a model of sequences,
    one that streams, or one whose configuration has the parameter `repeatable` as `false`."""


class Server(Protocol):
    """One server of a pool. Every method may be called concurrently from one event loop.

    Failures are raised as the errors of `inference.errors`, none of them retried here; each
    call ends within its time limit, whatever the server does, and a call whose task is
    cancelled is cancelled on the server as well.
    """

    @property
    def url(self) -> str:
        """Address that tells the server from the others of its pool."""
        ...

    async def infer(self, request: InferRequest, *, timeout_s: float) -> InferAnswer:
        """Run one request.

        Raises any `InferenceError` but `PoolUnavailable` and `UnknownModel`.
        """
        ...

    async def model_ready(self, model: str, version: str) -> bool:
        """Say whether the server serves the model now; False when it cannot be asked."""
        ...

    async def live(self) -> bool:
        """Say whether the server answers, and can be asked."""
        ...

    async def greet(self) -> None:
        """Do the same, with the reason where it is not so.

        Raises `ServerUnfit` when it lacks a part of the protocol that is needed, another
        `TransientError` when it does not answer.
        """
        ...

    async def signature(self, model: str, version: str) -> Signature:
        """Read what the model takes and gives.

        Raises `ModelNotReady` when the server does not serve it, `SignatureMismatch` when its
        first dimension is not the rows, so that it cannot be fed in microbatches.
        """
        ...

    async def metadata_digest(self, model: str, version: str) -> str:
        """Return `metadata-sha256:…` of what the server says that determines the answers."""
        ...

    async def statistics(self, model: str, version: str) -> ModelStatistics:
        """Read what the server has done with the model; raises `ModelNotReady`.

        An answer is counted some time after it was sent.
        """
        ...

    async def metadata(self, model: str, version: str) -> ModelMetadata:
        """Read what the model is; raises `ModelNotReady`."""
        ...

    async def config(self, model: str, version: str) -> Mapping[str, Any]:
        """Read the model's configuration as Triton's JSON; raises `ModelNotReady`."""
        ...

    async def counts(self, model: str, version: str) -> Sequence[Mapping[str, Any]]:
        """Read what the server counted, as the protocol's JSON, an item for each version.

        Of every model for an empty name; raises `ModelNotReady`.
        """
        ...

    async def load(self, model: str) -> None:
        """Have the server load the model, or load it again; raises `UnknownModel`."""
        ...

    async def unload(self, model: str) -> None:
        """Have the server let go of the model. Safe to repeat."""
        ...

    async def repository_index(self) -> tuple[RepositoryEntry, ...]:
        """List what the server's repository holds."""
        ...

    async def close(self) -> None:
        """Give up the connection. Safe to repeat."""
        ...
