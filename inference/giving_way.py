"""Have batch requests give way to those of others at the same servers."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from inference.courtesy import Courtesy, Look
from inference.errors import InferenceError
from inference.route import Route
from inference.server import Server

_LOOK_S = 0.5
"""Time between looks: a server answers them within a millisecond."""
_NS = 1e9


class GivingWay:
    """Looks at what servers count, whoever asks them, while this pool has requests there."""

    def __init__(
        self, servers: Sequence[Server], routes: Sequence[Route], *, queue_s: float
    ) -> None:
        self._servers = servers
        self._routes = routes
        self._courtesies = [Courtesy(queue_s=queue_s) for _ in servers]

    @property
    def now(self) -> bool:
        """Whether any server is used less than it could be, for the sake of others."""
        return any(route.ceiling is not None for route in self._routes)

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            async with asyncio.TaskGroup() as group:
                for index in range(len(self._servers)):
                    group.create_task(self._look(index))
            await asyncio.sleep(_LOOK_S)

    async def _look(self, index: int) -> None:
        route, courtesy = self._routes[index], self._courtesies[index]
        if not route.outstanding:
            return
        sent, outstanding = route.sent, route.outstanding
        try:
            counts = await self._servers[index].counts("", "")
        except InferenceError:
            return  # what is wrong with it the watch finds out
        requests, queue_s = _totals(counts)
        look = Look(requests, queue_s, sent, outstanding, sent_after=route.sent)
        courtesy.note(look, window=route.window.size)
        route.ceiling = courtesy.ceiling


def _totals(counts: Sequence[Mapping[str, Any]]) -> tuple[int, float]:
    """Return the requests of all models, with the seconds that they waited."""
    stats = [each["inference_stats"] for each in counts]
    requests = sum(
        each[how]["count"] for each in stats for how in ("success", "fail") if how in each
    )
    return requests, sum(each["queue"]["ns"] for each in stats if "queue" in each) / _NS
