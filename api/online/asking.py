"""Ask servers what a model is, how it is set up or what it has done."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from api.online.failures import of_inference
from api.online.joined import Joined
from api.online.port import Description, IndexEntry, OnlineError, OnlineName, PoolAway
from api.online.resolver import Registered, Served
from api.online.whereabouts import Place, Whereabouts
from inference.errors import InferenceError
from inference.open_pools import OpenPools
from inference.server import ModelMetadata, Server
from registry.domain import ModelVersion

_T = TypeVar("_T")

_PATIENCE_S = 0.25
"""Longest wait for a platform's name, which a healthy server says in a millisecond."""
_REMEMBERED = 1000


class Asking:
    """Questions that any server which serves the model answers; the fastest is believed."""

    def __init__(
        self,
        pools: OpenPools,
        whereabouts: Whereabouts,
        models: Callable[[], Awaitable[Iterable[ModelVersion]]],
        *,
        look_again_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`models` lists the registered versions that are to be found in an index."""
        self._pools = pools
        self._whereabouts = whereabouts
        self._models = models
        self._look_again_s = look_again_s
        self._clock = clock
        self._joined = Joined[ModelMetadata]()
        self._seen: OrderedDict[Place, tuple[float, ModelMetadata | None]] = OrderedDict()

    async def describe(self, name: OnlineName, meant: Registered | Served) -> Description:
        """See `Online.describe`."""
        if isinstance(meant, Served):
            return _of_metadata(name, await self._metadata(_place(meant)), meant)
        return replace(_of_version(meant), platform=await self._platform(_place(meant)))

    async def expected(self, name: OnlineName, meant: Registered | Served) -> Description:
        """See `Online.expected`."""
        if isinstance(meant, Served):
            return _of_metadata(name, await self._metadata(_place(meant)), meant)
        return _of_version(meant)

    async def repeatable(self, place: Place) -> bool:
        """Say whether a request may be sent to two servers; no where nobody can tell."""
        try:
            return (await self._metadata(place)).repeatable
        except (OnlineError, InferenceError):
            return False

    async def ready(self, meant: Registered | Served) -> bool:
        """See `Online.ready`."""
        place = _place(meant)
        return any(await self._each(place, lambda s: s.model_ready(place.served, place.version)))

    async def config(self, meant: Registered | Served) -> Mapping[str, Any]:
        """See `Online.config`."""
        place = _place(meant)
        return await self._first(place, lambda s: s.config(place.served, place.version))

    async def statistics(self, meant: Registered | Served | None) -> Sequence[Mapping[str, Any]]:
        """See `Online.statistics`."""
        place = Place("", "") if meant is None else _place(meant)
        told = await self._each(place, lambda s: s.counts(place.served, place.version))
        return [item for items in told for item in items]

    async def index(self) -> Sequence[IndexEntry]:
        """See `Online.index`."""
        indexes = [await _ask(s.repository_index()) for s in self._pools.servers()]
        seen = [entry for index in indexes if not isinstance(index, Exception) for entry in index]
        ready = {(entry.name, entry.version) for entry in seen if entry.state == "READY"}
        registered = list(await self._models())
        entries = {
            (version.name, str(version.version)): (
                (version.served_name, version.served_version) in ready
            )
            for version in registered
        }
        known = {version.served_name for version in registered}
        entries |= {
            (entry.name, entry.version): (entry.name, entry.version) in ready
            for entry in seen
            if entry.name not in known
        }
        return [
            IndexEntry(name, version, "READY" if is_ready else "UNAVAILABLE")
            for (name, version), is_ready in sorted(entries.items())
        ]

    async def _platform(self, place: Place) -> str:
        try:
            async with asyncio.timeout(_PATIENCE_S):
                return (await self._metadata(place)).platform
        except (TimeoutError, InferenceError, PoolAway):
            self._remember(place, None)
            return ""

    async def _metadata(self, place: Place) -> ModelMetadata:
        until, known = self._seen.get(place, (0.0, None))
        if until > self._clock():
            if known is None:
                raise PoolAway(f"no server says what {place.served!r} is", retry_after_s=1.0)
            return known
        return await self._joined.ask(place, lambda: self._learn(place))

    async def _learn(self, place: Place) -> ModelMetadata:
        said = await self._first(place, lambda s: s.metadata(place.served, place.version))
        self._remember(place, said)
        return said

    def _remember(self, place: Place, said: ModelMetadata | None) -> None:
        self._seen[place] = (self._clock() + self._look_again_s, said)
        self._seen.move_to_end(place)
        if len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)

    async def _first(self, place: Place, question: Callable[[Server], Awaitable[_T]]) -> _T:
        """Return the first answer; raises what the last one said instead, as `OnlineError`."""
        asked = [asyncio.ensure_future(_ask(question(s))) for s in await self._servers(place)]
        error: InferenceError | None = None
        try:
            for each in asyncio.as_completed(asked):
                answer = await each
                if not isinstance(answer, InferenceError):
                    return answer
                error = answer
        finally:
            for task in asked:
                task.cancel()
        if error is not None:
            raise of_inference(error) from error
        raise PoolAway(f"no active server serves {place.served!r}", retry_after_s=1.0)

    async def _each(self, place: Place, question: Callable[[Server], Awaitable[_T]]) -> list[_T]:
        """Return every answer, in the servers' order."""
        servers = await self._servers(place)
        answers = await asyncio.gather(*(_ask(question(server)) for server in servers))
        return [answer for answer in answers if not isinstance(answer, InferenceError)]

    async def _servers(self, place: Place) -> list[Server]:
        pools = await self._whereabouts.find(place) if place.served else ()
        if not place.served:
            return list(self._pools.servers())
        return [server for pool in pools for server in pool.servers]


def _place(meant: Registered | Served) -> Place:
    if isinstance(meant, Served):
        return Place(meant.name, meant.version)
    return Place.of(meant.target.stable)


def _of_version(meant: Registered) -> Description:
    version = meant.target.stable.version
    return Description(
        name=version.name,
        version=str(version.version),
        versions=tuple(map(str, meant.target.numbers)),
        platform="",
        inputs=version.signature.inputs,
        outputs=version.signature.outputs,
        max_batch_size=version.signature.max_batch_size,
        meant=meant,
    )


def _of_metadata(name: OnlineName, said: ModelMetadata, meant: Served) -> Description:
    return Description(
        name=name.model,
        version="" if name.version is None else str(name.version),
        versions=said.versions,
        platform=said.platform,
        inputs=said.inputs,
        outputs=said.outputs,
        max_batch_size=said.max_batch_size,
        optional_inputs=said.optional_inputs,
        meant=meant,
    )


async def _ask(question: Awaitable[_T]) -> _T | InferenceError:
    try:
        return await question
    except InferenceError as error:
        return error
