"""Send one kind of request to each of those that are compared."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.online.client import Client, Reply, infer_request, json_request
from benchmarks.online.load import Send, closed_loop

MODEL = "wide"
FEATURES = 64


@dataclass(frozen=True, slots=True)
class Side:
    """Where requests go."""

    name: str
    """What it is called in the table."""
    clients: Sequence[Client]
    """Its processes, which get requests in turn, as a load balancer would have it."""
    headers: Mapping[str, str]
    """What it wants with each request."""

    def sends(self, rows: int, *, in_json: bool = False) -> Send:
        """Return what sends a request of so many rows."""
        features = np.random.default_rng(7).random((rows, FEATURES), dtype=np.float32)
        build = json_request if in_json else infer_request
        request = build(f"/v2/models/{MODEL}/infer", features, self.headers)
        clients = itertools.cycle(self.clients)

        async def one() -> Reply:
            return await next(clients).send(request)

        return one


async def rates(
    sends: Mapping[str, Send], *, callers: int, seconds: float, turns: int
) -> dict[str, list[float]]:
    """Return the requests a second that each gets, turn by turn.

    They go one after the other, each turn beginning with the next, after one that is not counted.
    """
    names = list(sends)
    found: dict[str, list[float]] = {name: [] for name in names}
    for name in names:
        await closed_loop(sends[name], connections=callers, seconds=min(seconds, 1.0))
    for turn in range(turns):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            rate = await closed_loop(sends[name], connections=callers, seconds=seconds)
            found[name].append(rate)
    return found
