"""Answer online requests from the pools."""

import asyncio
import random as random_source
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from api.online.asking import Asking
from api.online.decision import Choice, Variant, choose, gets_copy
from api.online.explaining import Explanation, explained
from api.online.failures import SOON_S, of_inference
from api.online.port import (
    DeadlinePassed,
    Description,
    IndexEntry,
    OnlineAnswer,
    OnlineCall,
    OnlineError,
    OnlineName,
    PoolAway,
    PoolBusy,
)
from api.online.resolver import Registered, Resolver, Served
from api.online.settings import OnlineSettings
from api.online.shadows import Copy, ShadowCounts, Shadows
from api.online.whereabouts import Place, Whereabouts
from inference.errors import InferenceError, ModelNotReady, PoolUnavailable
from inference.pool import Pool
from inference.tensors import InferAnswer, InferRequest
from telemetry.online import OnlineMetrics

_US = 1_000_000
_GRACE_S = 0.1
"""Time after the deadline in which a try may end by itself, so that the pool learns from it."""


class Engine:
    """Resolve, choose, ask; satisfies `api.online.port.Online`."""

    def __init__(
        self,
        resolver: Resolver,
        whereabouts: Whereabouts,
        asking: Asking,
        shadows: Shadows,
        metrics: OnlineMetrics,
        settings: OnlineSettings,
        *,
        clock: Callable[[], float] = time.monotonic,
        random: Callable[[], float] = random_source.random,
    ) -> None:
        self._resolver = resolver
        self._whereabouts = whereabouts
        self._asking = asking
        self._shadows = shadows
        self._metrics = metrics
        self._settings = settings
        self._clock = clock
        self._random = random

    async def infer(self, call: OnlineCall, checked: Description | None = None) -> OnlineAnswer:
        """Have one version answer; see `Online.infer`."""
        most_s = self._settings.deadline_s
        limit_s = most_s if call.deadline_s is None else min(call.deadline_s, most_s)
        deadline = self._clock() + limit_s
        try:
            async with asyncio.timeout(limit_s + _GRACE_S):
                meant = None if checked is None else checked.meant
                if not isinstance(meant, Registered | Served):
                    meant = await self._resolver.resolve(call.name)
                if isinstance(meant, Registered):
                    return await self._registered(call, meant, deadline)
                return await self._served(call, meant, deadline)
        except InferenceError as error:
            raise of_inference(error) from error
        except TimeoutError as error:
            raise _late(call) from error

    async def describe(self, name: OnlineName) -> Description:
        """Say what the model takes and gives; see `Online.describe`."""
        return await self._asking.describe(name, await self._resolver.resolve(name))

    async def expected(self, name: OnlineName, *, within_s: float | None) -> Description:
        """Say what requests are checked against; see `Online.expected`."""
        most_s = self._settings.deadline_s
        try:
            async with asyncio.timeout(most_s if within_s is None else min(within_s, most_s)):
                return await self._asking.expected(name, await self._resolver.resolve(name))
        except TimeoutError as error:
            raise DeadlinePassed(f"nobody says what {name} takes within its time") from error

    async def ready(self, name: OnlineName) -> bool:
        """Say whether a server has the model ready now; see `Online.ready`."""
        return await self._asking.ready(await self._resolver.resolve(name))

    async def config(self, name: OnlineName) -> Mapping[str, Any]:
        """Return Triton's ModelConfig; see `Online.config`."""
        return await self._asking.config(await self._resolver.resolve(name))

    async def statistics(self, name: OnlineName | None) -> Sequence[Mapping[str, Any]]:
        """Return the items of `model_stats`; see `Online.statistics`."""
        meant = None if name is None else await self._resolver.resolve(name)
        return await self._asking.statistics(meant)

    async def index(self) -> Sequence[IndexEntry]:
        """List what can be asked for; see `Online.index`."""
        return await self._asking.index()

    async def explain(self, name: OnlineName, *, key: str, pinned: int | None) -> Explanation:
        """Say which version and server would answer such a request now, and why.

        By the same decisions as `infer`; chance is drawn anew by each. Raises `OnlineError`.
        """
        meant = await self._resolver.resolve(name)
        choice = self._choice(meant, key, pinned) if isinstance(meant, Registered) else None
        place = Place.of(choice.placed) if choice else Place(name.model, _number(name))
        pools = await self._whereabouts.find(place)
        return explained(
            name,
            meant.target if isinstance(meant, Registered) else None,
            choice,
            [pool.foresee(place.served, place.version) for pool in pools],
        )

    def shadow_counts(self, route: str, version: int) -> ShadowCounts:
        """Return what the shadow of a route (`NAME@ALIAS`) has shown in this process."""
        return self._shadows.counts(route, version)

    def _choice(self, meant: Registered, key: str, pinned: int | None) -> Choice:
        return choose(meant.target, meant.ref, key=key, pinned=pinned, chance=self._random())

    async def _registered(
        self, call: OnlineCall, meant: Registered, deadline: float
    ) -> OnlineAnswer:
        choice = self._choice(meant, call.sticky_key, call.pinned)
        version = choice.placed.version
        answer = await self._counted(
            call,
            deadline,
            Place.of(choice.placed),
            labels=(version.name, str(version.version), choice.variant),
        )
        shadow = gets_copy(meant.target, choice, chance=self._random())
        if shadow is not None:
            self._shadows.send(Copy(shadow, str(meant.ref), call, answer.raw))
        return _answered(answer, version.name, str(version.version), choice.variant)

    async def _served(self, call: OnlineCall, meant: Served, deadline: float) -> OnlineAnswer:
        place = Place(meant.name, meant.version)
        labels = (meant.name, meant.version, Variant.NONE)
        answer = await self._counted(call, deadline, place, labels=labels)
        return _answered(answer, meant.name, answer.version or meant.version, Variant.NONE)

    async def _counted(
        self,
        call: OnlineCall,
        deadline: float,
        place: Place,
        *,
        labels: tuple[str, str, Variant],
    ) -> InferAnswer:
        begun = self._clock()
        outcome = "cancelled"
        try:
            answer = await self._ask(call, deadline, place)
            outcome = "ok"
            return answer
        except (InferenceError, OnlineError) as error:
            outcome = type(error).__name__
            raise
        finally:
            spent_s = self._clock() - begun
            self._metrics.answered(labels[0], labels[1], labels[2], outcome, seconds=spent_s)

    async def _ask(self, call: OnlineCall, deadline: float, place: Place) -> InferAnswer:
        """Ask one pool after the other, and again where a pool was replaced meanwhile."""
        asked: set[Pool] = set()
        error: InferenceError | None = None
        while True:
            pools = await self._whereabouts.find(place)
            pool = next((each for each in pools if each not in asked), None)
            if pool is None:
                raise error or PoolAway(
                    f"no pool that has an active server serves {call.name}", retry_after_s=SOON_S
                )
            asked.add(pool)
            left_s = deadline - self._clock()
            if left_s <= 0:
                raise error or _late(call)
            request = _request(call, place, self._settings.priority, left_s)
            self._check_room(pool, request, left_s)
            try:
                return await pool.infer(
                    request, deadline_s=left_s, hedge=lambda: self._asking.repeatable(place)
                )
            except (PoolUnavailable, ModelNotReady) as failed:
                error = failed

    def _check_room(self, pool: Pool, request: InferRequest, left_s: float) -> None:
        """Refuse at once what would wait too long: later it would be refused all the same."""
        wait_s = pool.wait_s(request.model, request.version, priority=request.priority)
        if wait_s > min(self._settings.queue_s, left_s / 2):
            raise PoolBusy(
                f"the pool is full: {wait_s:.2g} s until a server has room",
                retry_after_s=max(SOON_S, wait_s),
            )


def _late(call: OnlineCall) -> DeadlinePassed:
    return DeadlinePassed(f"no answer from {call.name} within its time")


def _number(name: OnlineName) -> str:
    return "" if name.version is None else str(name.version)


def _request(call: OnlineCall, place: Place, priority: int, left_s: float) -> InferRequest:
    return InferRequest(
        model=place.served,
        version=place.version,
        inputs={},
        outputs=call.outputs,
        rows=1,
        request_id=call.request_id,
        priority=_priority(call, priority),
        raw=call.inputs,
        parameters=call.parameters,
        # What waits in a server's queue for longer is answered to nobody.
        queue_timeout_us=max(1, int(left_s * _US)),
        traceparent=call.traceparent,
    )


def _priority(call: OnlineCall, default: int) -> int:
    """Return Triton's priority of the request: 1 goes first, 0 is the model's own default."""
    if not call.priority:
        return default
    if call.may_go_first:
        return call.priority
    # Nobody here knows what the model's own default is, so it cannot be compared.
    return max(call.priority, default) if default else 0


def _answered(answer: InferAnswer, model: str, version: str, variant: Variant) -> OnlineAnswer:
    return OnlineAnswer(
        model=model,
        version=version,
        variant=variant,
        server=answer.server,
        outputs=answer.raw,
        parameters=answer.parameters,
    )
