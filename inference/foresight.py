"""Say which server a request would get, for whoever wants to know why."""

from collections.abc import Sequence
from dataclasses import dataclass

from inference.breaker import State
from inference.route import ModelKey, Route
from inference.router import AllOpen, Exhausted, Router, Wait
from inference.server import Server


@dataclass(frozen=True, slots=True)
class Seen:
    """One server, as the choice sees it."""

    server: str
    """Its address."""
    outstanding: int
    """Requests in flight to it."""
    window: int
    """Requests that may be in flight to it."""
    ewma_ms: float
    """Peak-sensitive average time of an answer; 0 before the first."""
    breaker: str
    """`closed`, `open` or `half-open`."""
    out: str
    """Why it is not asked now; empty when it may be."""


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What the router would choose."""

    server: str | None
    """Address of the server; None when there is none now."""
    why: str
    """The rule that decided, in words."""
    servers: tuple[Seen, ...]
    """All that were looked at."""


def foreseen(router: Router, servers: Sequence[Server], key: ModelKey, now: float) -> Foreseen:
    """Ask the router as a request would, without taking a place; pure."""
    picked = router.foresee(now, key)
    pairs = tuple(zip(servers, router.routes, strict=True))
    seen = tuple(_seen(server, route, key, now) for server, route in pairs)
    if isinstance(picked, int):
        return Foreseen(servers[picked].url, _reason(seen, picked), seen)
    return Foreseen(None, _absence(picked), seen)


def _reason(seen: Sequence[Seen], picked: int) -> str:
    if seen[picked].breaker == State.HALF_OPEN.value:
        return "its time to be probed has come, with this one request"
    able = sum(not each.out for each in seen)
    if able == 1:
        return "it is the only one that may be asked"
    return f"least time times requests in flight of {able} that may be asked"


def _absence(picked: Wait | AllOpen | Exhausted) -> str:
    if isinstance(picked, Wait):
        return "every server that may be asked has enough to do: the request waits"
    if isinstance(picked, AllOpen):
        return f"every breaker is open: the first probe is due in {picked.retry_after_s:.1f} s"
    if picked.not_ready:
        return "no server of the pool has the model ready"
    return "no server of the pool may be asked"


def _seen(server: Server, route: Route, key: ModelKey, now: float) -> Seen:
    state = route.breaker.state(now)
    return Seen(
        server=server.url,
        outstanding=route.outstanding,
        window=route.window.size,
        ewma_ms=round(route.ewma_s * 1000, 2),
        breaker=state.value,
        out=_out(route, key, state, now),
    )


def _out(route: Route, key: ModelKey, state: State, now: float) -> str:
    if route.leaving:
        return "it is draining"
    if state is State.OPEN:
        return f"its breaker is open for {route.breaker.retry_after_s(now):.1f} s more"
    if route.silent:
        return "it answers no probe"
    if not route.serves(key, now):
        return "it does not have the model ready"
    if route.paused_until > now:
        return "it said that it has too much to do"
    return "" if route.outstanding < route.room else "it has enough to do"
