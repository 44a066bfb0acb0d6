"""Refuse what is over a quota."""

import math
from collections.abc import Collection, Sequence

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.gateway.headers import add
from api.gateway.paths import PathSet
from api.gateway.principal import Caller, caller_of
from api.gateway.quotas import Quotas, Spent, Window
from api.gateway.refusals import OVER_QUOTA, send_refusal
from api.gateway.windows import Windows
from api.problems import Refused


class Limiter:
    """Counts requests against the quotas of their caller."""

    def __init__(self, quotas: Quotas, windows: Windows) -> None:
        self._quotas = quotas
        self._windows = windows

    async def count(self, caller: Caller) -> None:
        """Count any request; raises `Refused` when it is over a quota."""
        subject = caller.principal.subject if caller.principal else None
        await self._count(caller, self._quotas.of_caller(subject, caller.address))

    async def count_route(self, caller: Caller, scopes: Sequence[str], model: str | None) -> None:
        """Count a request for a route that needs `scopes`; raises `Refused`."""
        assert caller.principal is not None
        subject = caller.principal.subject
        await self._count(caller, self._quotas.of_route(subject, tuple(scopes), model))

    async def _count(self, caller: Caller, windows: Sequence[Window]) -> None:
        if not windows:
            return
        spent = await self._windows.hit(windows)
        caller.spent.extend(spent)
        over = [each for each in spent if not each.allowed]
        if over:
            raise _over_quota(over)


def limiter_of(scope: Scope) -> Limiter:
    """Return the limiter of the application that answers the request."""
    limiter = scope["app"].state.limiter
    assert isinstance(limiter, Limiter)
    return limiter


def _over_quota(over: Sequence[Spent]) -> Refused:
    longest = max(over, key=lambda each: each.reset_s)
    rate = longest.window.rate
    return Refused(
        OVER_QUOTA,
        f"quota {longest.window.name}: {rate.limit} requests in any {rate.window_s} s",
        headers={"Retry-After": str(_whole(longest.reset_s))},
        members={"violated_policies": [each.window.name for each in over]},
    )


class RateLimits:
    """ASGI middleware: count each request, and tell with its answer what is left."""

    def __init__(self, app: ASGIApp, limiter: Limiter, uncounted: Collection[str]) -> None:
        """Paths in `uncounted` are for whoever watches the process."""
        self._app = app
        self._limiter = limiter
        self._uncounted = PathSet(uncounted)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 429."""
        if scope["type"] != "http" or scope["path"] in self._uncounted:
            await self._app(scope, receive, send)
            return
        caller = caller_of(scope)

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start" and caller.spent:
                _tell(message, caller.spent)
            await send(message)

        try:
            await self._limiter.count(caller)
        except Refused as refused:
            await send_refusal(refused, scope, receive, told)
            return
        await self._app(scope, receive, told)


def _tell(message: Message, spent: Sequence[Spent]) -> None:
    """Add the fields of draft-ietf-httpapi-ratelimit-headers, then those of older clients.

    The latter know one quota: the one with the least room.
    """
    tightest = min(spent, key=lambda each: (each.remaining, -each.reset_s))
    add(
        message,
        ratelimit_policy=", ".join(
            f'"{each.window.name}";q={each.window.rate.limit};w={each.window.rate.window_s}'
            for each in spent
        ),
        ratelimit=", ".join(
            f'"{each.window.name}";r={each.remaining};t={_whole(each.reset_s)}' for each in spent
        ),
        x_ratelimit_limit=str(tightest.window.rate.limit),
        x_ratelimit_remaining=str(tightest.remaining),
        x_ratelimit_reset=str(_whole(tightest.reset_s)),
    )


def _whole(seconds: float) -> int:
    """Round up: room that is announced must be there."""
    return math.ceil(seconds)
