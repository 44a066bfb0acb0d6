"""Have batch requests give way to those of others at the same servers."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from inference.courtesy import Courtesy, Look
from inference.errors import InferenceError
from inference.route import ModelKey, Route
from inference.server import Server

_LOOK_S = 0.5
"""Time between looks: a server answers them within a millisecond."""
_NS = 1e9


class GivingWay:
    """Looks at what servers count of the models that this pool asks them for, whoever asks.

    By model, because requests wait in a queue of their model, and because a server counts a request
    to an ensemble at each of its models as well.
    """

    def __init__(
        self, servers: Sequence[Server], routes: Sequence[Route], *, queue_s: float
    ) -> None:
        self._servers = servers
        self._routes = routes
        self._queue_s = queue_s
        self._courtesies: list[dict[ModelKey, Courtesy]] = [{} for _ in servers]

    @property
    def now(self) -> bool:
        """Whether any server is used less than it could be, for the sake of others."""
        return any(route.ceiling is not None for route in self._routes)

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            async with asyncio.TaskGroup() as group:
                for index, route in enumerate(self._routes):
                    if route.outstanding:
                        group.create_task(self._look(index))
            await asyncio.sleep(_LOOK_S)

    async def _look(self, index: int) -> None:
        """Look at one server; models that are not asked for any more are forgotten."""
        route, before = self._routes[index], self._courtesies[index]
        self._courtesies[index] = after = {
            model: before.get(model) or Courtesy(queue_s=self._queue_s) for model in route.running
        }
        for model, courtesy in after.items():
            sent, outstanding = route.sent[model], route.running[model]
            try:
                counts = await self._servers[index].counts(*model)
            except InferenceError:
                continue  # what is wrong with it the watch finds out
            requests, queue_s = _totals(counts)
            look = Look(requests, queue_s, sent, outstanding, sent_after=route.sent[model])
            courtesy.note(look, window=route.window.size)
        ceilings = [each.ceiling for each in after.values() if each.ceiling is not None]
        route.ceiling = min(ceilings, default=None)


def _totals(counts: Sequence[Mapping[str, Any]]) -> tuple[int, float]:
    """Return the requests of a model, with the seconds that they waited, over its versions."""
    stats = [each["inference_stats"] for each in counts]
    ends = [each[how]["count"] for each in stats for how in ("success", "fail") if how in each]
    return sum(ends), sum(each["queue"]["ns"] for each in stats if "queue" in each) / _NS
