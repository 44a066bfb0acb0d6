"""Choose which server of a pool gets the next request."""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from inference.breaker import Breaker, Permit, State, Verdict
from inference.route import ModelKey, Route
from inference.router_limits import RouterLimits
from inference.window import Window


@dataclass(frozen=True, slots=True)
class Ticket:
    """A place in flight to one server; ended once with `Router.done`."""

    server: int
    """Which server, by its position in the pool."""
    permit: Permit
    """Leave of its breaker; `permit.probe` asks for readiness to be checked first."""
    sent_at: float
    """When the place was taken."""
    depth: int
    """Requests in flight to the server then, this one included."""
    model: ModelKey
    """What it is for."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Every server that may be asked has enough to do."""

    until: float | None
    """When the choice may be another; None for when a request ends."""


@dataclass(frozen=True, slots=True)
class AllOpen:
    """Every server is left alone for now."""

    retry_after_s: float
    """Seconds until the first one may be probed."""


@dataclass(frozen=True, slots=True)
class Exhausted:
    """Servers may be asked, but only such as are avoided or lack the model."""

    not_ready: bool
    """Whether every server lacks the model."""
    retry_after_s: float
    """Seconds until another server may be asked."""


Choice = Ticket | Wait | AllOpen | Exhausted


class Router:
    """Least outstanding work: peak-EWMA latency times requests in flight.

    Pure: `choose` decides and takes the place, `done` gives it back, neither waits. As in
    Finagle and Linkerd a latency above the average replaces it at once, one below pulls it
    down over `ewma_decay_s`; a server that fails fast is not rewarded for it.

    A failure rate takes out at most half of the pool, never the last server: half-sick is
    better than none. Failures in a row open even the last breaker, because nothing answers
    there, so that callers hear `AllOpen` at once instead of waiting for one more time-out.
    Until then, a server whose last request failed gets one at a time. A server that answers no
    probe gets nothing while another one can be asked.
    """

    def __init__(
        self,
        servers: int,
        limits: RouterLimits,
        *,
        random: Callable[[], float],
        known: Mapping[int, Route] = MappingProxyType({}),
    ) -> None:
        """`known` is what another router knows of some of the servers, by position: it is shared,
        so that what both have in flight counts against one window.
        """
        self._limits = limits
        self._random = random
        self.routes: Sequence[Route] = tuple(
            known.get(server)
            or Route(Breaker(limits.breaker, random=random), Window(limits.window))
            for server in range(servers)
        )
        """What is known of each server, in the pool's order."""

    def choose(self, now: float, model: ModelKey, avoid: Collection[int] = ()) -> Choice:
        """Choose a server for one request and take the place there.

        The cases:
        1. a server's time to be probed has come: it gets this one request
        2. some have room: the least loaded of them
        3. some will have room, or a probe will tell: wait
        4. every breaker is open
        5. only avoided servers, or ones without the model, are left
        """
        picked = self.foresee(now, model, avoid)
        return self._take(picked, model, now) if isinstance(picked, int) else picked

    def foresee(
        self, now: float, model: ModelKey, avoid: Collection[int] = ()
    ) -> "int | Wait | AllOpen | Exhausted":
        """Return what `choose` would choose, the server by its position, without taking a place."""
        heard = self._heard(model, now)
        asked = [i for i, each in enumerate(self.routes) if not (i in avoid or each.leaving)]
        audible = [index for index in asked if not (heard and self.routes[index].silent)]
        serving = [index for index in audible if self.routes[index].serves(model, now)]
        candidates = [index for index in serving if self._allows(index, now)]
        due = [i for i in candidates if self.routes[i].breaker.state(now) is State.HALF_OPEN]
        roomy = due[:1] or [i for i in candidates if self.routes[i].has_room(now)]
        if roomy:
            return self._least_loaded(roomy, now)
        probed = any(self.routes[index].breaker.probing for index in serving)
        if candidates or probed:
            return Wait(self._room_at(candidates, now))
        if all(self._is_open(route, now) for route in self.routes):
            return AllOpen(min(route.breaker.retry_after_s(now) for route in self.routes))
        return self._exhausted(now, model)

    def done(
        self, ticket: Ticket, verdict: Verdict, now: float, *, prompt_s: float = math.inf
    ) -> None:
        """End a request and learn from it.

        Its caller wants answers within `prompt_s`: where requests wait for each other for longer,
        the server gets less at a time, and they wait here, where they can be counted.
        """
        route = self.routes[ticket.server]
        spare = self._must_spare(ticket.server, now)
        if verdict is Verdict.SUCCESS:
            took_s = now - ticket.sent_at
            if not self._is_slow(route, ticket.model, took_s, prompt_s):
                route.window.answered(outstanding=route.outstanding)
            else:
                route.window.overloaded(sent_at=ticket.sent_at, now=now)
            route.overloads = 0
            route.outrun = 0
            route.learn(ticket.model, took_s)
            self._observe(route, took_s, now)
        elif verdict is Verdict.FAILURE:
            self._observe_at_least(route, now - ticket.sent_at, now)
        route.ended(ticket.model)
        route.breaker.leave(ticket.permit, verdict, now, spare=spare)

    def _is_slow(self, route: Route, model: ModelKey, took_s: float, prompt_s: float) -> bool:
        if took_s <= min(self._limits.slow_s, prompt_s):
            return False
        return took_s > self._limits.slow_s or route.has_queued(model, took_s)

    def overloaded(self, ticket: Ticket, now: float) -> None:
        """Note that the server refused a request for having too much to do, then end it.

        The pause is AWS's full jitter: `rand(0, min(max, base · 2^n))`.
        """
        route = self.routes[ticket.server]
        route.window.overloaded(sent_at=ticket.sent_at, now=now)
        longest_s = self._limits.backoff_base_s * 2.0 ** min(route.overloads, 32)
        pause_s = min(longest_s, self._limits.backoff_max_s) * self._random()
        route.paused_until = max(route.paused_until, now + pause_s)
        route.overloads += 1
        self.done(ticket, Verdict.ALIVE, now)

    def slow(self, ticket: Ticket, now: float) -> None:
        """Note that a server that lives did not answer in time: it gets less, and no blame."""
        route = self.routes[ticket.server]
        route.window.overloaded(sent_at=ticket.sent_at, now=now)
        self._observe_at_least(route, now - ticket.sent_at, now)
        self.done(ticket, Verdict.UNKNOWN, now)

    def spare(self, now: float, model: ModelKey, avoid: Collection[int] = ()) -> int | None:
        """Return a server for a request that nobody depends on; None where there is none.

        Only one with nothing against it and with room, so that such a request is no probe and
        waits for nothing. Nothing is changed.
        """
        idle = [
            index
            for index, route in enumerate(self.routes)
            if index not in avoid
            and route.works(model, now)
            and not route.breaker.suspect
            and route.has_room(now)
        ]
        return self._least_loaded(idle, now) if idle else None

    def take_spare(self, now: float, model: ModelKey, avoid: Collection[int] = ()) -> Ticket | None:
        """Take a place at such a server."""
        server = self.spare(now, model, avoid)
        return None if server is None else self._take(server, model, now)

    def outrun(self, ticket: Ticket, now: float) -> None:
        """Note that another server's answer was sooner, though it was asked for later.

        How long this one would have taken is not known. Each time that happens without an answer
        in between it counts as twice as slow, up to 64 times.
        """
        route = self.routes[ticket.server]
        at_least_s = (now - ticket.sent_at) * 2.0 ** min(route.outrun, 6)
        route.outrun += 1
        self._observe_at_least(route, at_least_s, now)

    def can_spare(self, server: int, model: ModelKey, now: float) -> bool:
        """Say whether another server that answers probes is asked for the model."""
        others = self._heard(model, now) - {server}
        return any(self.routes[index].breaker.state(now) is State.CLOSED for index in others)

    def blame(self, server: int, now: float) -> None:
        """Count a fault against a server, because another one did what it could not."""
        self.routes[server].breaker.blame(now, spare=self._must_spare(server, now))

    def mark(self, server: int, model: ModelKey, now: float, *, ready: bool) -> None:
        """Note whether a server has a model ready."""
        if ready:
            self.routes[server].not_ready_until.pop(model, None)
        else:
            until = now + self._limits.not_ready_recheck_s
            self.routes[server].not_ready_until[model] = until

    def _heard(self, model: ModelKey, now: float) -> set[int]:
        """Return the servers that answer probes, serve the model and are not left alone."""
        return {
            index
            for index, route in enumerate(self.routes)
            if not (route.silent or route.leaving or self._is_open(route, now))
            and route.serves(model, now)
        }

    def _allows(self, index: int, now: float) -> bool:
        return self.routes[index].breaker.allows(now)

    def _exhausted(self, now: float, model: ModelKey) -> Exhausted:
        lacking = not any(route.serves(model, now) for route in self.routes)
        times = [route.breaker.retry_after_s(now) for route in self.routes]
        times += [route.not_ready_until.get(model, now) - now for route in self.routes]
        return Exhausted(lacking, min((time for time in times if time > 0), default=0.0))

    def _room_at(self, candidates: Sequence[int], now: float) -> float | None:
        pauses = (self.routes[index].paused_until for index in candidates)
        return min((pause for pause in pauses if pause > now), default=None)

    @staticmethod
    def _is_open(route: Route, now: float) -> bool:
        return route.breaker.state(now) is State.OPEN

    def _must_spare(self, server: int, now: float) -> bool:
        """Say whether leaving out this server too would leave out more than half of the pool."""
        others = (route for index, route in enumerate(self.routes) if index != server)
        out = sum(route.breaker.state(now) is not State.CLOSED for route in others)
        return out + 1 > len(self.routes) // 2

    def _take(self, index: int, model: ModelKey, now: float) -> Ticket:
        route = self.routes[index]
        route.began(model)
        return Ticket(index, route.breaker.enter(now), now, route.outstanding, model)

    def _least_loaded(self, indexes: Sequence[int], now: float) -> int:
        known = [route.ewma_s for route in self.routes if route.ewma_s > 0]
        usual_s = sum(known) / len(known) if known else 1.0
        loads = [
            (self._load(self.routes[index], usual_s, now), self._random(), index)
            for index in self._sample(indexes)
        ]
        return min(loads)[2]

    def _sample(self, indexes: Sequence[int]) -> Sequence[int]:
        if len(indexes) <= self._limits.full_scan_servers:
            return indexes
        first = int(self._random() * len(indexes))
        second = int(self._random() * (len(indexes) - 1))
        return indexes[first], indexes[second + (second >= first)]

    def _load(self, route: Route, usual_s: float, now: float) -> float:
        """Latency times requests in flight, this one included.

        An idle server's latency fades, so that one slow answer is not held against it forever.
        One that never answered goes first while idle, to be found out; then it counts as usual.
        """
        if route.ewma_s == 0:
            return usual_s * (route.outstanding + 1) if route.outstanding else 0.0
        fading = 1.0 if route.outstanding else self._weight(now - route.observed_at)
        return route.ewma_s * fading * (route.outstanding + 1)

    def _weight(self, age_s: float) -> float:
        return math.exp(-max(age_s, 0.0) / self._limits.ewma_decay_s)

    def _observe(self, route: Route, latency_s: float, now: float) -> None:
        weight = self._weight(now - route.observed_at)
        smoothed_s = route.ewma_s * weight + latency_s * (1 - weight)
        route.ewma_s = max(latency_s, smoothed_s)
        route.observed_at = now

    def _observe_at_least(self, route: Route, latency_s: float, now: float) -> None:
        if latency_s > route.ewma_s:
            self._observe(route, latency_s, now)
