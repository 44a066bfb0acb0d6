"""Probe the servers of a pool in the background, model by model."""

import asyncio
from collections.abc import Callable, Sequence

from inference.admission import Admission
from inference.breaker import State
from inference.errors import InferenceError
from inference.router import ModelKey, Router
from inference.server import Server
from inference.settings import InferenceSettings
from inference.tensors import InferRequest

_LIVENESS: ModelKey = ("", "")
"""Stands for no model: the server itself."""


class Watch:
    """Keep the router told of which server has which model ready.

    A server whose breaker is open and that is seen to come back (away at one probe, ready at
    a later one) may be tried at once, as Envoy un-ejects; one that says ready all along but
    does not answer requests keeps its full time.
    """

    def __init__(
        self,
        servers: Sequence[Server],
        router: Router,
        admission: Admission,
        settings: InferenceSettings,
        *,
        clock: Callable[[], float],
    ) -> None:
        self._servers = servers
        self._router = router
        self._admission = admission
        self._settings = settings
        self._clock = clock
        self._watched: dict[ModelKey, InferRequest | None] = {}
        self._away: set[tuple[int, ModelKey]] = set()

    def add(self, key: ModelKey, canary: InferRequest | None) -> None:
        """Probe the model from now on; a canary makes the probe a real inference."""
        self._watched[key] = canary

    def add_servers(self) -> None:
        """Probe whether the servers answer at all, whatever they serve."""
        self._watched[_LIVENESS] = None

    async def run(self) -> None:
        """Probe until cancelled."""
        while True:
            for key in tuple(self._watched):
                await self.ask_all(key)
            await asyncio.sleep(self._settings.probe_interval_s)

    async def ask_all(self, key: ModelKey) -> bool:
        """Probe the model on every server at once; True if any has it ready."""
        async with asyncio.TaskGroup() as group:
            asked = [
                group.create_task(self._ask(index, key)) for index in range(len(self._servers))
            ]
        self._admission.dispatch()
        return any(task.result() for task in asked)

    async def _ask(self, index: int, key: ModelKey) -> bool:
        server = self._servers[index]
        if key == _LIVENESS:
            ready = live = await server.live()
        else:
            ready = await server.model_ready(*key) and await self._sings(index, key)
            live = ready or await server.live()
        self._note(index, key, ready=ready, live=live)
        return ready

    async def _sings(self, index: int, key: ModelKey) -> bool:
        """Run the model's canary, where there is one."""
        canary = self._watched.get(key)
        if canary is None:
            return True
        try:
            await self._servers[index].infer(canary, timeout_s=self._settings.probe_timeout_s)
        except InferenceError:
            return False
        return True

    def _note(self, index: int, key: ModelKey, *, ready: bool, live: bool) -> None:
        """Tell the router: ready, live without the model, or away, which counts as a failure."""
        now = self._clock()
        breaker = self._router.routes[index].breaker
        if not ready:
            self._away.add((index, key))
            if live:
                self._router.mark(index, key, now, ready=False)
            else:
                self._router.blame(index, now)
            return
        self._router.mark(index, key, now, ready=True)
        if (index, key) in self._away and breaker.state(now) is State.OPEN:
            breaker.back(now)
        self._away.discard((index, key))
