"""Send copies of requests to shadow versions, whatever becomes of them."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from api.online.comparison import Comparison, compare
from api.online.port import OnlineCall
from api.online.whereabouts import Place, Whereabouts
from inference.errors import InferenceError
from inference.server import Server
from inference.tensors import InferRequest, RawTensor
from registry.domain import ModelVersion
from registry.targets import Placed
from telemetry.logs import logger
from telemetry.online import OnlineMetrics

_log = logger(__name__)

_LOW_PRIORITY = 2
"""After what callers wait for, on a model that has levels of priority."""
_ALIASES = 1000
"""Routes that are counted at a time."""


@dataclass(frozen=True, slots=True)
class Copy:
    """A request that was answered, for another version to answer as well."""

    placed: Placed
    """The shadow, with where it shall be served."""
    route: str
    """`NAME@ALIAS`, whose shadow it is."""
    call: OnlineCall
    """The request."""
    answer: tuple[RawTensor, ...]
    """What the caller was given."""

    @property
    def version(self) -> ModelVersion:
        """The shadow."""
        return self.placed.version

    @property
    def size(self) -> int:
        """Bytes that it holds."""
        tensors = (*self.call.inputs, *self.answer)
        return sum(len(tensor.content) for tensor in tensors)


@dataclass(slots=True)
class ShadowCounts:
    """What one shadow has shown in this process."""

    copies: Counter[str] = field(default_factory=Counter)
    """Copies by what became of them: `compared`, `failed`, `dropped`."""
    rows: int = 0
    """Rows that were compared."""
    agreed: int = 0
    """Rows that agreed."""
    difference: float = 0.0
    """Largest absolute difference of two numbers, of answers that have the same form."""
    differs: str = ""
    """What was another in the form of the last answer of which it was; empty for none."""


class Shadows:
    """A bounded number of copies under way; those above it are not sent.

    A copy leaves when its caller has the answer, and where it goes is found out then. It is sent
    to a server that has nothing against it and room to spare, past the pool's router: no failure
    of a shadow counts against a server, none of its requests takes a place in flight that a caller
    waits for, is a probe, or is sent again.
    """

    def __init__(
        self,
        metrics: OnlineMetrics,
        whereabouts: Whereabouts,
        *,
        most: int,
        max_bytes: int,
        timeout_s: float,
    ) -> None:
        self._metrics = metrics
        self._whereabouts = whereabouts
        self._most = most
        self._max_bytes = max_bytes
        self._timeout_s = timeout_s
        self._running: dict[asyncio.Task[None], int] = {}
        self._held = 0
        self._counts: dict[tuple[str, int], ShadowCounts] = {}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Send copies for the length of the block; those under way at its end are given up."""
        try:
            yield
        finally:
            for task in tuple(self._running):
                task.cancel()
            await asyncio.gather(*self._running, return_exceptions=True)

    def send(self, copy: Copy) -> None:
        """Send the copy, or drop it; returns at once."""
        if len(self._running) >= self._most or self._held + copy.size > self._max_bytes:
            self._note(copy, "dropped")
            return
        task = asyncio.create_task(self._ask(copy), name="shadow")
        self._running[task] = copy.size
        self._held += copy.size
        self._metrics.shadows_in_flight.inc()
        task.add_done_callback(self._end)

    def counts(self, route: str, version: int) -> ShadowCounts:
        """Return what the shadow of a route has shown since this process began."""
        return self._counts.get((route, version), ShadowCounts())

    def _end(self, task: asyncio.Task[None]) -> None:
        self._held -= self._running.pop(task)
        self._metrics.shadows_in_flight.dec()
        if not task.cancelled() and (fault := task.exception()) is not None:
            _log.error("a copy met a fault", exc_info=fault)

    async def _ask(self, copy: Copy) -> None:
        try:
            async with asyncio.timeout(self._timeout_s):
                server = await self._find(copy)
            if server is None:
                self._note(copy, "dropped")
                return
            answer = await server.infer(_request(copy), timeout_s=self._timeout_s)
        except (InferenceError, TimeoutError) as error:
            self._note(copy, "failed")
            _log.debug("a shadow failed", version=str(copy.version), cause=str(error))
            return
        self._learn(copy, await asyncio.to_thread(compare, copy.answer, answer.raw))

    async def _find(self, copy: Copy) -> Server | None:
        pools = await self._whereabouts.find(Place.of(copy.placed))
        version = copy.version
        found = (pool.spare(version.served_name, version.served_version) for pool in pools)
        return next((server for server in found if server is not None), None)

    def _learn(self, copy: Copy, found: Comparison) -> None:
        self._note(copy, "compared")
        counts = self._counts_of(copy)
        counts.rows += found.rows
        counts.agreed += found.agreed
        if found.differs:
            counts.differs = found.differs
        else:
            counts.difference = max(counts.difference, found.difference)
        version = copy.version
        self._metrics.compared(
            version.name,
            str(version.version),
            agreed=found.agreed,
            rows=found.rows,
            difference=None if found.differs else found.difference,
        )

    def _note(self, copy: Copy, outcome: str) -> None:
        self._counts_of(copy).copies[outcome] += 1
        self._metrics.copied(copy.version.name, str(copy.version.version), outcome)

    def _counts_of(self, copy: Copy) -> ShadowCounts:
        while len(self._counts) >= _ALIASES:
            self._counts.pop(next(iter(self._counts)))
        return self._counts.setdefault((copy.route, copy.version.version), ShadowCounts())


def _request(copy: Copy) -> InferRequest:
    call = copy.call
    return InferRequest(
        model=copy.version.served_name,
        version=copy.version.served_version,
        inputs={},
        outputs=call.outputs,
        rows=1,
        request_id=call.request_id and f"{call.request_id}-shadow",
        priority=_LOW_PRIORITY,
        raw=call.inputs,
        parameters=call.parameters,
        traceparent=call.traceparent,
    )
